package sim

// The extensions by which the sender says where a resource comes from.
const (
	extensionBase       = "https://public.metriport.com/fhir/StructureDefinition"
	dataSourceURL       = extensionBase + "/data-source.json"
	documentIDURL       = extensionBase + "/doc-id-extension.json"
	relatedURL          = "http://hl7.org/fhir/StructureDefinition/artifact-relatedArtifact"
	fillNumberURL       = "http://hl7.org/fhir/StructureDefinition/medicationdispense-fillNumber"
	relatedConditionURL = "http://hl7.org/fhir/StructureDefinition/condition-related"
	clinicalStatus      = "http://terminology.hl7.org/CodeSystem/condition-clinical"
	verifiedStatus      = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
	allergyStatus       = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
	observationKind     = "http://terminology.hl7.org/CodeSystem/observation-category"
	diagnosticKind      = "http://terminology.hl7.org/CodeSystem/v2-0074"
)

// source marks a resource with the exchange or network that it comes from.
func source(code string) object {
	return of("url", dataSourceURL, "valueCoding", of("system", dataSourceURL, "code", code))
}

// fromFile marks a resource with the file that it was converted from.
func fromFile(name string) object { return of("url", documentIDURL, "valueString", name) }

// foldedIn marks a resource into which the sender folded another one that said the same.
func foldedIn(ref string) object {
	return of("url", relatedURL, "valueRelatedArtifact", of("type", "derived-from", "display", ref))
}

// marked is o with its extensions after those that it has. Extensions that are nil are left out.
func marked(o object, marks ...object) object {
	all := list{}
	for _, x := range extensions(o) {
		all = append(all, x)
	}
	for _, m := range marks {
		if m != nil {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return o
	}
	return append(o.without("extension"), member{"extension", all})
}

// extensions are those of a resource.
func extensions(o object) (out []object) {
	all, _ := o.find("extension").(list)
	for _, x := range all {
		if e, ok := x.(object); ok {
			out = append(out, e)
		}
	}
	return out
}

// coding is one coding without a display that nobody sent.
func coding(system, code, display string) object {
	return of("system", system, "code", code, "display", display)
}

// coded is a concept of codings alone.
func coded(codings ...object) object {
	all := list{}
	for _, c := range codings {
		all = append(all, c)
	}
	return of("coding", all)
}
