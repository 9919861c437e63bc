package sim

import "fmt"

// person is a patient of the practice. All of them are made up.
type person struct {
	id            string // patientId; the same in every simulation
	given, family string
	sex           string // FHIR administrative gender
	born          string // YYYY-MM-DD
	externalID    string // "" for the few that the practice gave none
	additional    object // additionalIds, nil where absent
	phone         string
	line, city    string
	state, zip    string
}

func (p person) name() string { return p.given + " " + p.family }

// ids are the members by which every event names its patient.
func (p person) ids() []any {
	return []any{"patientId", p.id, "externalId", p.externalID, "additionalIds", p.additional}
}

// sandbox are the five test patients that the sender publishes for its sandbox.
var sandbox = []person{
	{given: "Jane", family: "Smith", sex: "female", born: "1996-02-10"},
	{given: "Chris", family: "Smith", sex: "male", born: "1995-01-01"},
	{given: "Ollie", family: "Brown", sex: "male", born: "1946-03-18"},
	{given: "Andreas", family: "Brown", sex: "male", born: "1952-01-01"},
	{given: "Kyla", family: "Fields", sex: "female", born: "1927-05-23"},
}

var givenNames = []string{
	"Avery", "Jordan", "Riley", "Casey", "Morgan", "Quinn", "Rowan", "Skyler", "Emerson", "Finley", "Harper", "Dakota",
	"Reese", "Sage", "Parker", "Zoë", "José", "Łucja", "Søren", "Marlowe", "Ellis", "Blair", "Lennon", "Remy", "Tatum",
	"Wren", "Arden", "Briar", "Indigo", "Juniper", "Kit", "Linden", "Merritt", "Oakley", "Phoenix",
}

var familyNames = []string{"Testpatient", "Sample", "Example", "Fictional", "Placeholder", "Specimen", "O'Example"}

// population returns the forty people of every simulation. It depends on no seed: a person keeps their patientId from
// run to run, so that samples sent by hand meet the people of the demo.
func population() []person {
	r := seeded(1, 0)
	people := append([]person(nil), sandbox...)
	for i, given := range givenNames {
		sex := []string{"female", "male"}[r.IntN(2)]
		if i == 11 {
			sex = "unknown"
		}
		people = append(people, person{
			given: given, family: familyNames[i%len(familyNames)], sex: sex,
			born: fmt.Sprintf("%d-%02d-%02d", 1931+r.IntN(72), 1+r.IntN(12), 1+r.IntN(28)),
		})
	}
	towns := []string{"Sampleton", "Exampleville", "Fixture Falls", "Mockingbird"}
	for i := range people {
		p := &people[i]
		p.id = derived("patient", p.name(), p.born)
		p.externalID = fmt.Sprintf("550%03d", 100+i)
		p.additional = of("athenahealth", list{fmt.Sprintf("999%02d", 50+i)})
		p.phone = fmt.Sprintf("555-01%02d", i)
		p.line = fmt.Sprintf("%d Example Street", 10+7*i)
		p.city, p.state, p.zip = towns[i%len(towns)], "CA", fmt.Sprintf("959%02d", 10+i)
		switch i % 9 {
		case 4:
			p.additional = nil
		case 7:
			p.additional = append(p.additional, member{"elation", list{fmt.Sprintf("E-%d", 7000+i), fmt.Sprintf("E-%d", 8000+i)}})
		}
		if i%17 == 9 {
			p.externalID = ""
		}
	}
	return people
}
