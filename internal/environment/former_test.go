package environment

import "testing"

// TestFormerIsHistoryOnceLaterThingsWork: also when an older version of daskbot,
// which does not know the field and leaves it, wrote that it is ready.
func TestFormerIsHistoryOnceLaterThingsWork(t *testing.T) {
	e, _ := allWell()
	broken := Step{Phase: PhaseWorkloads, Failure: Errorf(CodeUnavailable, "It crashes.")}
	old := e.Recipe
	next := e.Recipe
	next.Releases = []Release{{Name: "hub", Values: map[string]any{"image": "next"}}}
	e.Renew(next)
	e.Generation++
	e.Spec.Versions = e.Good.Versions
	if got := GiveUp(e, broken); got.Kind != StepRollBack {
		t.Fatalf("a failed upgrade: got %s; want it rolled back", got.Kind)
	}
	ready := e
	ready.ObservedGeneration = ready.Generation
	ready.Generation++
	if got := GiveUp(ready, broken); got.Kind != StepSettle {
		t.Errorf("after an upgrade that worked: got %s; want what runs kept", got.Kind)
	}
	last := next
	last.Releases = []Release{{Name: "hub", Values: map[string]any{"image": "last"}}}
	e.Renew(last)
	e.Generation++
	e.TakeBack()
	if Fingerprint(e.Recipe) != Fingerprint(old) || e.Former != nil {
		t.Errorf("two upgrades, neither ready: got %v; want what ran before both", e.Recipe.Releases)
	}
	e.Renew(old)
	if e.Former != nil {
		t.Error("an upgrade to the same keeps what it replaced")
	}
}
