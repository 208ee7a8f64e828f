package api

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/daskbot/daskbot/internal/environment"
)

func (d *double) Deliveries(_ context.Context, who environment.Caller, f environment.DeliveryFilter) ([]environment.Delivery, error) {
	if who.Role != environment.RoleAdmin {
		return nil, environment.Errorf(environment.CodeForbidden, "Only an admin may do this.")
	}
	if f.Before == "d1" {
		return nil, d.scripted("Deliveries")
	}
	return []environment.Delivery{{ID: "d1", Source: "canvas", Type: "enrollment_created", Body: []byte("private"), State: environment.DeliveryParked,
		Reason: "The message names nobody.", ReceivedAt: when, LastAt: when, SettledAt: when}}, d.scripted("Deliveries")
}

func (d *double) RetryDelivery(_ context.Context, who environment.Caller, id string) (environment.Delivery, error) {
	if who.Role != environment.RoleAdmin {
		return environment.Delivery{}, environment.Errorf(environment.CodeForbidden, "Only an admin may do this.")
	}
	return environment.Delivery{ID: id, State: environment.DeliveryWaiting, ReceivedAt: when, LastAt: when}, d.scripted("RetryDelivery")
}

func TestHooksAreShownWithoutWhatTheySay(t *testing.T) {
	b := newBench(t)
	answer := b.ask(t, http.MethodGet, Base+"/hooks?state=parked&source=canvas", "")
	var got map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	item := got["items"].([]any)[0].(map[string]any)
	if item["body"] != nil || item["reason"] != "The message names nobody." || item["settledAt"] == nil {
		t.Errorf("got %v; want the reason and not the message", item)
	}
	if answer := b.ask(t, http.MethodPost, Base+"/hooks/d1/retry", ""); answer.StatusCode != http.StatusAccepted {
		t.Errorf("retry: %d; want 202", answer.StatusCode)
	}
	if answer := b.ask(t, http.MethodGet, Base+"/hooks?state=other", ""); answer.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an unknown state: %d; want 422", answer.StatusCode)
	}
	if answer := b.ask(t, http.MethodGet, Base+"/hooks", "", "Authorization", "Bearer alice"); answer.StatusCode != http.StatusForbidden {
		t.Errorf("as a student: %d; want 403", answer.StatusCode)
	}
}

func (d *double) Notifications(_ context.Context, who environment.Caller, course string) ([]environment.Notification, error) {
	if who.Role == environment.RoleStudent {
		return nil, environment.Errorf(environment.CodeNotFound, "There is no course %q, or it is not yours.", course)
	}
	return []environment.Notification{{Subscription: environment.Subscription{URL: "https://hooks.example.edu/daskbot", Since: when},
		Secret: environment.NewSecret("whsec_c2VjcmV0"), State: environment.SubscriptionState{DisabledAt: when, Reason: "The address does not answer."}}}, d.scripted("Notifications")
}

func (d *double) ResumeNotifications(ctx context.Context, who environment.Caller, course string) ([]environment.Notification, error) {
	return d.Notifications(ctx, who, course)
}

func TestNotificationsAreShownWithTheirSecretAndNeverStored(t *testing.T) {
	b := newBench(t)
	answer := b.ask(t, http.MethodGet, Base+"/courses/de-2026/notifications", "")
	var got struct{ Items []Notification }
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if len(got.Items) != 1 || got.Items[0].Secret != "whsec_c2VjcmV0" || answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %+v, %v", got, answer.Header)
	}
	if answer := b.ask(t, http.MethodPost, Base+"/courses/de-2026/notifications/resume", ""); answer.StatusCode != http.StatusOK {
		t.Errorf("resume: %d; want 200", answer.StatusCode)
	}
	if answer := b.ask(t, http.MethodGet, Base+"/courses/de-2026/notifications", "", "Authorization", "Bearer alice"); answer.StatusCode != http.StatusNotFound {
		t.Errorf("as a student: %d; want 404", answer.StatusCode)
	}
}
