package environment

import "time"

// Role is what a token's holder may do.
type Role string

// The roles, from least to most.
const (
	RoleStudent Role = "student"
	RoleStaff   Role = "staff" // of the courses in the token
	RoleAdmin   Role = "admin"
)

// Caller is who is asking, as far as it was proved.
type Caller struct {
	Subject string
	Role    Role
	// Courses are those a staff caller teaches.
	Courses []string
	// Via is how somebody comes whose doings no edge writes into the audit log:
	// one of the Via constants. Their changes are entered when they are stored.
	Via string `json:",omitempty"`
}

// Token is an API token; only its hash is kept.
type Token struct {
	ID      string
	Hash    string // lower-case hex SHA-256 of the secret part
	Role    Role
	Subject string
	Course  string
	// CreatedAt, RevokedAt: a revoked token stays listed and opens nothing.
	CreatedAt time.Time
	CreatedBy string
	RevokedAt time.Time
	Version   int64
}

// Person joins the identities of one human and says whose credits pay.
type Person struct {
	Subject string
	Email   string
	SlackID string
	LMSID   string
	// Project is the person's own linked cloud project, "" for none.
	Project string
	Version int64
}
