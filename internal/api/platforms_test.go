package api

import (
	"context"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

func (d *double) InvitePlatform(_ context.Context, who environment.Caller, name, home string) (environment.Secret, time.Time, error) {
	if err := environment.Authorize(who, environment.ActionAdminister, "", ""); err != nil {
		return environment.Secret{}, time.Time{}, err
	}
	if err := environment.ValidPlatformURL("platform", home); err != nil {
		return environment.Secret{}, time.Time{}, err
	}
	return environment.NewSecret("https://daskbot.example.edu/lti/register/" + name), when, d.scripted("InvitePlatform")
}

func (d *double) RegisteredPlatforms(_ context.Context, who environment.Caller) ([]environment.Platform, error) {
	if err := environment.Authorize(who, environment.ActionAdminister, "", ""); err != nil {
		return nil, err
	}
	return []environment.Platform{{Name: "moodle", Issuer: "https://moodle.example.edu", ClientID: "c"}}, d.scripted("RegisteredPlatforms")
}

func (d *double) RemovePlatform(_ context.Context, who environment.Caller, name string) error {
	if err := environment.Authorize(who, environment.ActionAdminister, "", ""); err != nil {
		return err
	}
	if name != "moodle" {
		return environment.Errorf(environment.CodeNotFound, "There is no such learning platform.")
	}
	return d.scripted("RemovePlatform")
}
