package bot

import (
	"fmt"
	"strings"
)

// Scopes are what the app may do in a workspace, and why.
var Scopes = []struct{ Name, Why string }{
	{"commands", "/dask"},
	{"chat:write", "tell owners how their environments are"},
	{"im:write", "open the direct message with an owner"},
	{"im:history", "find out after a crash what was said, so that nothing is said twice"},
	{"users:read", "time zones, and who is a member"},
	{"users:read.email", "match people with the roster"},
}

// Manifest is the app's manifest for https://api.slack.com/apps, as YAML: for
// HTTP under url, or for Socket Mode when url is "". redirect is where browsers
// come back to from an installation in another workspace; "" when there are
// none.
func Manifest(url, redirect string) string {
	socket := url == ""
	url = strings.TrimRight(url, "/")
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("_metadata:\n  major_version: 2\n  minor_version: 1")
	line("display_information:\n  name: daskbot\n  description: Your own Dask on Kubernetes, on request\n  background_color: \"#1d3557\"")
	line("features:")
	line("  app_home:\n    home_tab_enabled: true\n    messages_tab_enabled: true\n    messages_tab_read_only_enabled: false")
	line("  bot_user:\n    display_name: daskbot\n    always_online: true")
	line("  slash_commands:\n    - command: /dask")
	if !socket {
		line("      url: %s/slack/commands", url)
	}
	line("      description: Start, see, extend and stop your Dask environment")
	line("      usage_hint: \"up | status | extend 2h | down | help\"\n      should_escape: true")
	line("oauth_config:")
	if redirect != "" {
		line("  redirect_urls:\n    - %s", redirect)
	}
	line("  scopes:\n    bot:")
	for _, s := range Scopes {
		line("      - %s # %s", s.Name, s.Why)
	}
	line("settings:\n  event_subscriptions:")
	if !socket {
		line("    request_url: %s/slack/events", url)
	}
	line("    bot_events:\n      - app_home_opened\n      - app_uninstalled\n      - message.im\n      - tokens_revoked")
	line("  interactivity:\n    is_enabled: true")
	if !socket {
		line("    request_url: %s/slack/interactions", url)
	}
	line("  org_deploy_enabled: false\n  socket_mode_enabled: %t\n  token_rotation_enabled: false", socket)
	return b.String()
}
