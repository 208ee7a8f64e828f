package blockkit

import "slices"

func (c *checker) section(at string, b object) {
	if b["text"] == nil && b["fields"] == nil {
		c.wrong(at, "missing required field: text")
	}
	c.text(at, b, "text", 3000, false)
	if b["fields"] != nil {
		c.each(at, b, "fields", 1, 10, func(at string, f object) { c.text(at, object{"field": f}, "field", 2000, true) })
	}
	if b["accessory"] != nil {
		c.element(at, b, "accessory", accessories)
	}
}

func (c *checker) header(at string, b object) { c.plain(at, b, "text", 150, true) }

func (c *checker) context(at string, b object) {
	c.each(at, b, "elements", 1, 10, func(at string, e object) {
		if e["type"] == "image" {
			c.imageFields(at, e)
			return
		}
		c.text(at, object{"text": e}, "text", 3000, true)
	})
}

func (c *checker) actions(at string, b object) {
	seen := map[any]bool{}
	c.each(at, b, "elements", 1, 25, func(at string, e object) {
		c.element(at, object{"": e}, "", interactive)
		if seen[e["action_id"]] {
			c.wrong(at+"/action_id", "action_id already exists: %v", e["action_id"])
		}
		seen[e["action_id"]] = true
	})
}

func (c *checker) input(at string, b object) {
	c.plain(at, b, "label", 2000, true)
	c.plain(at, b, "hint", 2000, false)
	c.element(at, b, "element", inputs)
}

func (c *checker) image(at string, b object) {
	c.imageFields(at, b)
	c.plain(at, b, "title", 2000, false)
}

func (c *checker) imageFields(at string, o object) {
	if o["slack_file"] == nil {
		c.needs(at, o, "image_url", 3000)
	}
	c.needs(at, o, "alt_text", 2000)
}

func (c *checker) markdown(at string, b object) { c.needs(at, b, "text", 12_000) }

// richParts are the elements of rich text that hold others.
var richParts = []string{"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"}

func (c *checker) richText(at string, b object) {
	c.each(at, b, "elements", 0, 1000, func(at string, e object) {
		kind, _ := e["type"].(string)
		if !slices.Contains(richParts, kind) {
			c.wrong(at+"/type", "unsupported type: %s", kind)
		}
	})
}

func (c *checker) plan(at string, b object) {
	c.needs(at, b, "title", 256)
	if b["tasks"] == nil {
		return
	}
	c.each(at, b, "tasks", 0, maxMessageBlocks, func(at string, task object) {
		if task["type"] != nil && task["type"] != "task_card" {
			c.wrong(at+"/type", "unsupported type: %v", task["type"])
			return
		}
		c.taskCard(at, task)
	})
}

// statuses of a task. Slack says complete, not completed.
var statuses = []any{nil, "pending", "in_progress", "complete", "error"}

func (c *checker) taskCard(at string, b object) {
	c.needs(at, b, "task_id", maxID)
	c.needs(at, b, "title", 256)
	if !slices.Contains(statuses, b["status"]) {
		c.wrong(at+"/status", "must be one of pending, in_progress, complete, error")
	}
	for _, field := range []string{"details", "output"} {
		if o, ok := b[field].(object); ok {
			if o["type"] != "rich_text" {
				c.wrong(at+"/"+field+"/type", "must be rich_text")
				continue
			}
			c.richText(at+"/"+field, o)
		}
	}
	if b["sources"] != nil {
		c.each(at, b, "sources", 0, 25, func(at string, s object) {
			c.needs(at, s, "url", 3000)
			c.needs(at, s, "text", 256)
		})
	}
}
