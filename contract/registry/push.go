package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/twmb/franz-go/pkg/sr"

	"factline.dev/contract"
)

// Pushed is what became of one version of an event.
type Pushed struct {
	// Subject is its name in the registry.
	Subject string `json:"subject"`
	// EventVersion is the version in the catalogue.
	EventVersion int `json:"eventVersion"`
	// Version is the registry's, or the one that it would give where Outcome is
	// missing, 0 where it refused.
	Version int `json:"version"`
	// ID is the registry's, 0 where it gave none: nobody knows the next.
	ID int `json:"id"`
	// Outcome is registered, present (the registry had it), missing (it would be
	// registered) or refused.
	Outcome Outcome `json:"outcome"`
}

// Outcome is what happened to a schema in a push.
type Outcome string

// What can happen.
const (
	Registered Outcome = "registered"
	Present    Outcome = "present"
	Missing    Outcome = "missing"
	Refused    Outcome = "refused"
)

// PushError says that the registry did not take a schema.
type PushError struct {
	Subject string
	Version int
	Err     error
}

func (e *PushError) Error() string {
	return fmt.Sprintf("registry: push version %d of %s: %v; compare it with the registry's latest and with the subject's compatibility level",
		e.Version, e.Subject, e.Err)
}

func (e *PushError) Unwrap() error { return e.Err }

// Push registers every version of every event that the registry behind client
// does not hold, oldest version first. With dryRun it only says which are
// missing. Errors are a [*PushError] for each that was refused, joined, and the
// report is complete beside them; a registry that cannot be reached, or a ctx
// that ends, ends the push at once and the report holds what was done until then.
func Push(ctx context.Context, client *sr.Client, c *contract.Catalogue, dryRun bool) ([]Pushed, error) {
	all, err := entries(c)
	if err != nil {
		return nil, err
	}
	report := make([]Pushed, 0, len(all))
	var refused []error
	for i, e := range all {
		done, err := pushOne(ctx, client, e, dryRun)
		if done.Outcome == Missing && i > 0 && report[i-1].Subject == e.subject && report[i-1].Outcome == Missing {
			done.Version = report[i-1].Version + 1 // which would be there by then
		}
		if done.Outcome == "" {
			return report, fmt.Errorf("registry: push version %d of %s: %w; check the address and the credentials, then push again", e.version, e.subject, err)
		}
		if err != nil {
			refused = append(refused, &PushError{e.subject, e.version, err})
		}
		report = append(report, done)
	}
	return report, errors.Join(refused...)
}

// pushOne returns no outcome where the registry could not answer.
func pushOne(ctx context.Context, client *sr.Client, e entry, dryRun bool) (Pushed, error) {
	done := Pushed{Subject: e.subject, EventVersion: e.version}
	schema := sr.Schema{Schema: e.text, Type: sr.TypeJSON}
	found, err := client.LookupSchema(ctx, e.subject, schema)
	switch {
	case err == nil:
		done.Version, done.ID, done.Outcome = found.Version, found.ID, Present
		return done, nil
	case !isMissing(err):
		return done, err
	case dryRun:
		return wouldBe(ctx, client, done)
	}
	made, err := client.CreateSchema(ctx, e.subject, schema)
	switch {
	case err == nil:
		done.Version, done.ID, done.Outcome = made.Version, made.ID, Registered
	case isRefusal(err):
		done.Outcome = Refused
	}
	return done, err
}

// wouldBe adds the version that the registry would give.
func wouldBe(ctx context.Context, client *sr.Client, done Pushed) (Pushed, error) {
	versions, err := client.SubjectVersions(sr.WithParams(ctx, sr.ShowDeleted), done.Subject)
	if err != nil && !isMissing(err) {
		return done, err
	}
	done.Version, done.Outcome = slices.Max(append(versions, 0))+1, Missing
	return done, nil
}

func isMissing(err error) bool {
	answer, ok := errors.AsType[*sr.ResponseError](err)
	return ok && answer.StatusCode == http.StatusNotFound
}

// isRefusal tells a schema that the registry does not want (409 incompatible,
// 422 invalid) from a registry that does not serve us.
func isRefusal(err error) bool {
	answer, ok := errors.AsType[*sr.ResponseError](err)
	return ok && (answer.StatusCode == http.StatusConflict || answer.StatusCode == http.StatusUnprocessableEntity)
}
