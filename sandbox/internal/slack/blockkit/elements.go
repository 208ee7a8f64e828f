package blockkit

import "slices"

// Which elements may be where.
var (
	selects     = []string{"static_select", "external_select", "users_select", "conversations_select", "channels_select"}
	multi       = []string{"multi_static_select", "multi_external_select", "multi_users_select", "multi_conversations_select", "multi_channels_select"}
	choices     = []string{"checkboxes", "radio_buttons", "datepicker", "timepicker", "datetimepicker"}
	typed       = []string{"plain_text_input", "number_input", "email_text_input", "url_text_input", "rich_text_input"}
	interactive = slices.Concat([]string{"button", "overflow"}, selects, multi, choices)
	accessories = slices.Concat(interactive, []string{"image"})
	inputs      = slices.Concat(selects, multi, choices, typed)
)

// element checks what a block holds in a field, which must be one of kinds.
// The field "" is the object itself, at the same place.
func (c *checker) element(at string, o object, field string, kinds []string) {
	e, ok := o[field].(object)
	if !ok {
		c.wrong(at, "missing required field: %s", field)
		return
	}
	if field != "" {
		at += "/" + field
	}
	kind, _ := e["type"].(string)
	if !slices.Contains(kinds, kind) {
		c.wrong(at+"/type", "unsupported type: %s", kind)
		return
	}
	if kind == "image" {
		c.imageFields(at, e)
		return
	}
	c.id(at, e, "action_id")
	c.plain(at, e, "placeholder", 150, false)
	if e["confirm"] != nil {
		c.confirm(at, e)
	}
	c.own(at, kind, e)
}

// own checks what only elements of a kind have.
func (c *checker) own(at, kind string, e object) {
	switch kind {
	case "button":
		c.button(at, e)
	case "overflow":
		c.each(at, e, "options", 1, 5, c.option)
	case "static_select", "multi_static_select":
		c.selectMenu(at, e)
	case "checkboxes", "radio_buttons":
		c.each(at, e, "options", 1, 10, c.option)
	case "plain_text_input":
		c.typedText(at, e)
	case "number_input":
		if _, ok := e["is_decimal_allowed"].(bool); !ok {
			c.wrong(at, "missing required field: is_decimal_allowed")
		}
	}
}

func (c *checker) button(at string, e object) {
	c.plain(at, e, "text", 75, true)
	c.length(at+"/value", e["value"], 2000)
	c.length(at+"/url", e["url"], 3000)
	c.length(at+"/accessibility_label", e["accessibility_label"], 75)
	if style := e["style"]; style != nil && style != "primary" && style != "danger" {
		c.wrong(at+"/style", "must be one of primary, danger")
	}
}

func (c *checker) confirm(at string, e object) {
	d, ok := e["confirm"].(object)
	at += "/confirm"
	if !ok {
		c.wrong(at, "must be an object")
		return
	}
	c.plain(at, d, "title", 100, true)
	c.text(at, d, "text", 300, true)
	c.plain(at, d, "confirm", 30, true)
	c.plain(at, d, "deny", 30, true)
}

func (c *checker) selectMenu(at string, e object) {
	if e["option_groups"] == nil {
		c.each(at, e, "options", 1, 100, c.option)
	} else {
		c.each(at, e, "option_groups", 1, 100, func(at string, g object) {
			c.plain(at, g, "label", 75, true)
			c.each(at, g, "options", 1, 100, c.option)
		})
	}
	if chosen, ok := e["initial_option"].(object); ok {
		c.initial(at, e, chosen)
	}
}

// initial says so when what is chosen at first is not among the options, which
// Slack takes only when both are exactly equal.
func (c *checker) initial(at string, e, chosen object) {
	all, _ := e["options"].([]any)
	groups, _ := e["option_groups"].([]any)
	for _, g := range groups {
		if g, ok := g.(object); ok {
			more, _ := g["options"].([]any)
			all = append(slices.Clone(all), more...)
		}
	}
	for _, o := range all {
		if o, ok := o.(object); ok && o["value"] == chosen["value"] && label(o) == label(chosen) {
			return
		}
	}
	c.wrong(at+"/initial_option", "must be one of the provided options")
}

func label(o object) any {
	t, _ := o["text"].(object)
	return t["text"]
}

func (c *checker) option(at string, o object) {
	c.text(at, o, "text", 75, true)
	c.plain(at, o, "description", 75, false)
	if _, isText := o["value"].(string); !isText && o["url"] == nil {
		c.wrong(at, "missing required field: value")
	}
	c.length(at+"/value", o["value"], 150)
}

func (c *checker) typedText(at string, e object) {
	c.length(at+"/initial_value", e["initial_value"], 3000)
	if most, ok := e["max_length"].(float64); ok && (most < 1 || most > 3000) {
		c.wrong(at+"/max_length", "must be between 1 and 3000")
	}
}
