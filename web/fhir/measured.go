package fhir

import (
	"math/big"
	"regexp"
	"strings"
)

// measured reads value[x] of an Observation or a component, and what it is judged by.
func (c *from) measured(n *node) Measured {
	var m Measured
	c.value(&m, n)
	if m.Kind == "" {
		if m.Absent = c.concept(n.get("dataAbsentReason")).Text; m.Absent != "" {
			m.Kind = "absent"
		}
	}
	c.ranges(&m, n.get("referenceRange").all())
	c.judge(&m, n)
	return m
}

// value is the first value[x] that holds something.
func (c *from) value(m *Measured, n *node) {
	set := func(kind, value, unit string) bool {
		if value == "" {
			return false
		}
		m.Kind, m.Value, m.Unit = kind, value, unit
		return true
	}
	if q := c.quantity(n.get("valueQuantity")); set("quantity", q.words(), q.Unit) {
		if q.Comparator == "" {
			m.Number = q.Value
		}
		return
	}
	if coded := c.concept(n.get("valueCodeableConcept")); set("code", coded.Text, "") {
		m.Coded = coded.Code
		return
	}
	if set("text", c.text(n.get("valueString")), "") {
		if comparator, number, unit := numeral(m.Value); comparator == "" && unit == "" {
			m.Number = c.own(number, maxCode)
		}
		return
	}
	if whole := n.get("valueInteger").number(); set("integer", c.own(whole, maxCode), "") {
		m.Number = m.Value
		return
	}
	if yes, sent := n.get("valueBoolean").boolean(); sent {
		set("boolean", map[bool]string{true: "true", false: "false"}[yes], "")
		return
	}
	low, high := c.quantity(n.get("valueRange", "low")), c.quantity(n.get("valueRange", "high"))
	if value, unit := span(low, high); set("range", value, unit) {
		return
	}
	over, under := c.quantity(n.get("valueRatio", "numerator")), c.quantity(n.get("valueRatio", "denominator"))
	if set("ratio", ratio(over, under), "") {
		return
	}
	if set("time", c.time(n.get("valueDateTime")).String(), "") || set("time", c.code(n.get("valueTime")), "") {
		return
	}
	from, to := c.time(n.get("valuePeriod", "start")).String(), c.time(n.get("valuePeriod", "end")).String()
	if from+to != "" && set("period", strings.TrimSpace(from+" – "+to), "") {
		return
	}
	if samples := n.get("valueSampledData"); samples.get("data") != nil {
		m.Kind, m.Value, m.Unit = "samples", "", c.line(samples.get("origin", "unit"))
	}
}

// words is the number with its comparator: "5.9", "> 100".
func (q Quantity) words() string {
	if q.Comparator == "" {
		return q.Value
	}
	return q.Comparator + " " + q.Value
}

// String is a quantity for people: "30 tablet", "> 100 mg/dL"; "" for an absent one.
func (q Quantity) String() string { return strings.TrimSpace(q.words() + " " + q.Unit) }

// span is a range in words. Where the ends have different units, they stay with them.
func span(low, high Quantity) (value, unit string) {
	switch {
	case low.Value == "" && high.Value == "":
		return "", ""
	case high.Value == "":
		return "≥ " + low.Value, low.Unit
	case low.Value == "":
		return "≤ " + high.Value, high.Unit
	case low.Unit != high.Unit && low.Unit != "" && high.Unit != "":
		return low.String() + " – " + high.String(), ""
	case high.Unit == "":
		return low.Value + " – " + high.Value, low.Unit
	default:
		return low.Value + " – " + high.Value, high.Unit
	}
}

// ratio is 1:128, or with units 5 mg : 2 mL.
func ratio(over, under Quantity) string {
	switch {
	case over.Value == "" || under.Value == "":
		return ""
	case over.Unit == "" && under.Unit == "":
		return over.words() + ":" + under.words()
	default:
		return over.String() + " : " + under.String()
	}
}

// ranges takes the reference range that is meant for this patient. Where several are given, for ages or sexes that we
// do not weigh, only their words are kept.
func (c *from) ranges(m *Measured, all []node) {
	var texts []string
	var normal []node
	for i := range all {
		if i == maxIdentifiers {
			c.r.cut()
			break
		}
		if kind := all[i].get("type"); kind != nil && !coded(kind, "normal") {
			continue // therapeutic, treatment, …: nothing to judge by
		}
		normal = append(normal, all[i])
		text := c.line(all[i].get("text"))
		if text == "" && len(all) > 1 {
			value, unit := span(c.quantity(all[i].get("low")), c.quantity(all[i].get("high")))
			text = strings.TrimSpace(value + " " + unit)
		}
		texts = c.add(texts, text, maxIdentifiers)
	}
	m.RangeText = strings.Join(texts, "; ")
	if len(normal) == 1 {
		m.Low = c.own(normal[0].get("low", "value").number(), maxCode)
		m.High = c.own(normal[0].get("high", "value").number(), maxCode)
	}
}

// judge takes the interpretation that was sent, or else compares a number with its range.
func (c *from) judge(m *Measured, n *node) {
	best := 0
	for _, e := range n.get("interpretation").all() {
		k := c.concept(&e)
		if s := severity(k.Code); s > best {
			best = s
			m.Interpretation, m.InterpretationText = k.Code, k.Text
		} else if best == 0 && k.Text != "" {
			m.InterpretationText = k.Text
		}
	}
	if m.Interpretation != "" || m.InterpretationText != "" {
		return
	}
	bounds := n.get("referenceRange").all()
	if m.Low == "" && m.High == "" || len(bounds) != 1 {
		return
	}
	r := &bounds[0]
	if r.get("appliesTo") != nil || r.get("age") != nil {
		return
	}
	switch q := n.get("valueQuantity"); m.Kind {
	case "quantity":
		if sameUnit(q, r.get("low")) && sameUnit(q, r.get("high")) {
			m.Interpretation = compare(q.get("value").number(), c.quantity(q).Comparator, m.Low, m.High)
		}
	case "text", "integer":
		if comparator, number, unit := numeral(m.Value); inUnit(unit, r.get("low")) && inUnit(unit, r.get("high")) {
			m.Interpretation = compare(number, comparator, m.Low, m.High)
		}
	}
	m.Computed = m.Interpretation != ""
}

// numberText is a number as laboratories write it in words: "5.2", "<0.01", ">100,000", "≥ 60 mL/min". Commas stand between
// groups of three digits; anything else, such as 1:128 or 5,2, is no number.
var numberText = regexp.MustCompile(`^(<=|>=|<|>|≤|≥)?\s*([-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[-+]?\.\d+)(?:\s+(\D.{0,40}))?$`)

// numeral takes a number in words apart; number is "" where text is none. Its digits are as sent, without the commas.
func numeral(text string) (comparator, number, unit string) {
	if len(text) > 2*maxCode {
		return "", "", ""
	}
	m := numberText.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return "", "", ""
	}
	comparator = strings.NewReplacer("≤", "<=", "≥", ">=").Replace(m[1])
	return comparator, strings.TrimPrefix(strings.ReplaceAll(m[2], ",", ""), "+"), m[3]
}

// inUnit says whether a limit may be compared with a number in words. Words that name no unit are in that of the range
// only where the range names none either: the sender writes both without it where the laboratory sent none, and where it
// sent one for the range alone nobody knows that the number is in it.
func inUnit(unit string, limit *node) bool {
	if limit == nil {
		return true
	}
	for _, name := range []string{"unit", "code"} {
		if own := limit.get(name).str(); own != "" {
			return own == unit
		}
	}
	return unit == ""
}

// severity orders codes of v3-ObservationInterpretation, so that of several the gravest is shown.
func severity(code string) int {
	switch code {
	case "":
		return 0
	case "LL", "HH", "AA":
		return 5
	case "LU", "HU", "L<", "H>":
		return 4
	case "L", "H", "A":
		return 3
	case "N":
		return 1
	default:
		return 2
	}
}

// sameUnit says whether a limit may be compared with a value: it names no unit, or the same.
func sameUnit(value, limit *node) bool {
	for _, name := range []string{"unit", "code"} {
		a, b := value.get(name).str(), limit.get(name).str()
		if a != "" && b != "" {
			return a == b
		}
	}
	return limit.get("unit").str() == "" && limit.get("code").str() == ""
}

// compare says L, H or N; "" where it cannot be told. A comparator means that the true value lies beyond the number.
func compare(value, comparator, low, high string) string {
	v, ok := rational(value)
	if !ok {
		return ""
	}
	lo, hasLow := rational(low)
	hi, hasHigh := rational(high)
	if hasLow && hasHigh && lo.Cmp(hi) > 0 {
		return "" // the range is a mistake
	}
	switch {
	case hasLow && v.Cmp(lo) < 0 && (comparator == "" || comparator[0] == '<'):
		return "L"
	case hasHigh && v.Cmp(hi) > 0 && (comparator == "" || comparator[0] == '>'):
		return "H"
	case hasLow && v.Cmp(lo) == 0 && comparator == "<":
		return "L"
	case hasHigh && v.Cmp(hi) == 0 && comparator == ">":
		return "H"
	case comparator == "":
		return "N"
	case comparator[0] == '<' && !hasLow && hasHigh && v.Cmp(hi) <= 0, comparator[0] == '>' && !hasHigh && hasLow && v.Cmp(lo) >= 0:
		return "N"
	default:
		return ""
	}
}

// rational is a decimal as it is written. One with a large exponent is none: its digits would fill the memory.
func rational(s string) (*big.Rat, bool) {
	if s == "" {
		return nil, false
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 && len(strings.TrimLeft(s[i+1:], "+-0")) > 2 {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}
