package environment

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Limit is one limit of a policy, for people: what holds and who set it.
type Limit struct {
	Name  string // as in the configuration, such as "maxTtl"
	Value string // such as "45m", "3" or "30m, 10m"
	From  string // environment, profile, course or default
}

// Limits lists every limit that is set, in the order in which Policy names
// them. What nobody set is left out: it limits nothing.
func (t Terms) Limits() []Limit {
	var out []Limit
	v := reflect.ValueOf(t.Policy)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			continue
		}
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		out = append(out, Limit{Name: name, Value: limitText(v.Field(i).Interface()), From: t.From[name]})
	}
	return out
}

func limitText(value any) string {
	switch value := value.(type) {
	case time.Duration:
		return FormatDuration(value)
	case []time.Duration:
		words := make([]string, len(value))
		for i, d := range value {
			words[i] = FormatDuration(d)
		}
		return strings.Join(words, ", ")
	default:
		return fmt.Sprint(value)
	}
}
