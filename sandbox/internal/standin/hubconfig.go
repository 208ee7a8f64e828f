package standin

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/yaml"
)

// hubValues is the part of the chart's values that the stand-in acts on.
type hubValues struct {
	Hub struct {
		BaseURL                string                    `json:"baseUrl"`
		Config                 map[string]map[string]any `json:"config"`
		Services               map[string]*hubService    `json:"services"`
		LoadRoles              map[string]*hubRole       `json:"loadRoles"`
		AuthenticatePrometheus *bool                     `json:"authenticatePrometheus"`
	} `json:"hub"`
	Singleuser singleuserValues `json:"singleuser"`
	Scheduling struct {
		UserScheduler struct{ Enabled bool }                    `json:"userScheduler"`
		PodPriority   struct{ Enabled bool }                    `json:"podPriority"`
		UserPods      struct{ Tolerations []corev1.Toleration } `json:"userPods"`
	} `json:"scheduling"`
	Cull struct {
		Enabled bool `json:"enabled"`
		Timeout int  `json:"timeout"` // seconds
	} `json:"cull"`
	FullnameOverride string
	NameOverride     string
	Chart            struct{ Name, Version, AppVersion string }
	Release          struct{ Name string }
}

type hubService struct {
	Name  string
	Admin bool
}

type hubRole struct {
	Scopes   []string
	Services []string
	Users    []string
}

// hubConfig is one hub's configuration as its process would have read it.
type hubConfig struct {
	hubValues
	version      string // JupyterHub's, such as 5.5.0
	installation string
	cookieKey    []byte
	auth         authenticator
	services     map[string]principal // by token
}

// principal is who asks.
type principal struct {
	kind   string // user, service, or empty for nobody
	name   string
	admin  bool
	scopes scopes
}

// hubVersions tells the JupyterHub in a chart that does not say so itself.
var hubVersions = map[string]string{"3.2.1": "4.0.2", "3.3.8": "4.1.6", "4.2.0": "5.3.0"}

// currentHub is the version taken for a chart nothing is known of.
const currentHub = "5.5.0"

// readHubConfig reads the Secret hub of the target's namespace. An error means
// that a hub given the same would not start.
func (t *target) readHubConfig(ctx context.Context) (*hubConfig, error) {
	prefix := strings.TrimSuffix(t.service.Name, "proxy-public")
	secret, err := t.client.CoreV1().Secrets(t.service.Namespace).Get(ctx, prefix+"hub", metav1.GetOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, fmt.Errorf("get secret %shub: %w", prefix, err)
	}
	config := &hubConfig{installation: string(secret.UID), services: map[string]principal{}}
	if err := yaml.Unmarshal(secret.Data["values.yaml"], &config.hubValues); err != nil {
		return nil, fmt.Errorf("read values of the hub: %w", err)
	}
	config.version = config.Chart.AppVersion
	if config.version == "" {
		config.version = hubVersions[config.Chart.Version]
	}
	if config.version == "" {
		config.version = currentHub
	}
	config.cookieKey, err = hex.DecodeString(string(secret.Data["hub.config.JupyterHub.cookie_secret"]))
	if err != nil || len(config.cookieKey) == 0 {
		return nil, errors.New("cookie secret of the hub is not hexadecimal")
	}
	if config.auth, err = newAuthenticator(config.Hub.Config, config.version); err != nil {
		return nil, err
	}
	config.readServices(secret)
	return config, nil
}

// readServices gives each service its token from the Secret and the scopes
// of the roles that name it.
func (c *hubConfig) readServices(secret *corev1.Secret) {
	for key, service := range c.Hub.Services {
		token := string(secret.Data["hub.services."+key+".apiToken"])
		if token == "" {
			continue
		}
		who := principal{kind: "service", name: key, scopes: scopes{}}
		if service != nil && service.Name != "" {
			who.name = service.Name
		}
		if service != nil && service.Admin {
			who.admin = true
			who.scopes.add(every...)
		}
		for _, role := range c.Hub.LoadRoles {
			if role != nil && slices.Contains(role.Services, who.name) {
				who.scopes.add(role.Scopes...)
			}
		}
		c.services[token] = who
	}
}

// user is who a session's name stands for.
func (c *hubConfig) user(name string) principal {
	who := principal{kind: "user", name: name, admin: c.auth.admin(name), scopes: scopes{}}
	if who.admin {
		who.scopes.add(every...)
	}
	return who
}

// atLeast compares JupyterHub's version.
func (c *hubConfig) atLeast(least string) bool { return versionAtLeast(c.version, least) }

// versionAtLeast takes a version that cannot be read for a current one.
func versionAtLeast(given, least string) bool {
	parsed, err := version.ParseGeneric(given)
	return err != nil || parsed.AtLeast(version.MustParseGeneric(least))
}

// base is the path before /hub/, without a slash at its end.
func (c *hubConfig) base() string { return strings.TrimSuffix(c.Hub.BaseURL, "/") }

// cullAfter is how long a server may be idle; zero is for ever.
func (c *hubConfig) cullAfter() time.Duration {
	if !c.Cull.Enabled {
		return 0
	}
	return time.Duration(c.Cull.Timeout) * time.Second
}
