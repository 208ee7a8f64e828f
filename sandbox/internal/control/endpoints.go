package control

// Endpoints is the answer of GET /endpoints: where each emulated service is
// and the secrets with which a test plays the other side.
type Endpoints struct {
	GKE          string `json:"gke"`          // host:port, gRPC without TLS
	GKERest      string `json:"gkeRest"`      // base URL
	Compute      string `json:"compute"`      // base URL, ends in /compute/v1/
	ServiceUsage string `json:"serviceusage"` // base URL
	Charts       string `json:"charts"`       // Helm repository
	Slack        Slack  `json:"slack"`
	LMS          LMS    `json:"lms"`
	Token        string `json:"token"`   // access token that the clouds and clusters accept
	Project      string `json:"project"` // the default project
	Control      string `json:"control"` // base URL of this API
	Files        Files  `json:"files"`
}

// Slack is how to reach the emulated Slack, how to sign as it, and how to be
// the app of its first workspace.
type Slack struct {
	URL           string `json:"url"` // the page
	API           string `json:"api"` // base URL of the Web API, ends in /
	SigningSecret string `json:"signingSecret"`
	Team          string `json:"team"`
	BotToken      string `json:"botToken"`
	AppToken      string `json:"appToken"` // for Socket Mode
	ClientID      string `json:"clientId"`
	ClientSecret  string `json:"clientSecret"`
}

// LMS is how to reach the emulated LMS, how to be its first tool, and how to
// sign as it.
type LMS struct {
	URL        string `json:"url"` // the course page
	Issuer     string `json:"issuer"`
	ClientID   string `json:"clientId"`
	Deployment string `json:"deployment"`
	AuthURL    string `json:"authUrl"`
	TokenURL   string `json:"tokenUrl"`
	JWKSURL    string `json:"jwksUrl"`       // of launches
	EventsJWKS string `json:"eventsJwksUrl"` // of Canvas's Live Events
	Secret     string `json:"secret"`        // of Standard Webhooks, whsec_…
	Bearer     string `json:"bearer"`        // of systems that cannot sign
	Moodle     string `json:"moodleToken"`
	Inbox      string `json:"inbox"`       // where the tool's own hooks go
	Outgoing   string `json:"inboxSecret"` // that they are signed with, whsec_…
}

// Files are what the command-line tools of this machine need.
type Files struct {
	Token        string `json:"token"`        // holds Endpoints.Token
	GcloudConfig string `json:"gcloudConfig"` // a gcloud configuration of the sandbox's own
	Kubeconfig   string `json:"kubeconfig"`   // written by gcloud container clusters get-credentials
}
