package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/envelope"
	"factline.dev/internal/named"
)

// SkipTopicRequest is what [SkipTopic] needs. All fields are required.
type SkipTopicRequest struct {
	// Topic is the one that the broker does not accept.
	Topic string
	// Reason is kept with the act; an auditor reads it.
	Reason string
	// Operator is who decided.
	Operator string
}

func (r SkipTopicRequest) validate() error {
	var problems []error
	for _, f := range []struct{ name, value, hint string }{
		{"Topic", r.Topic, "see outbox.Status for those with events that are set aside"},
		{"Reason", r.Reason, "say why"},
		{"Operator", r.Operator, "say who decided"},
	} {
		if strings.TrimSpace(f.value) == "" {
			problems = append(problems, fmt.Errorf("outbox.SkipTopicRequest.%s: it is empty; %s", f.name, f.hint))
		}
	}
	return errors.Join(problems...)
}

// SkipTopicResult is what [SkipTopic] did.
type SkipTopicResult struct {
	// ActionID names the audited row, empty where nothing was set aside.
	ActionID string `json:"actionId"`
	// Events is how many were given up.
	Events int64 `json:"events"`
}

// SkipTopic gives up every event of a topic that is set aside now, for a topic
// that the broker will never accept: nobody sends them from now on, and none of
// them counts as pending. Their rows stay for the relay's Retention. Events that
// are appended later are set aside as before. What a relay has
// read to try it again may still reach the log.
//
// It is one transaction with an audited row, and needs no relay and no broker.
func SkipTopic(ctx context.Context, pool *pgxpool.Pool, r SkipTopicRequest) (SkipTopicResult, error) {
	if err := r.validate(); err != nil {
		return SkipTopicResult{}, fmt.Errorf("outbox: skip a topic: %w", err)
	}
	var result SkipTopicResult
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) (err error) {
		result, err = skipTopic(ctx, tx, r)
		return err
	})
	if err != nil {
		return SkipTopicResult{}, fmt.Errorf("outbox: skip topic %s: %w", r.Topic, explain(err))
	}
	return result, nil
}

func skipTopic(ctx context.Context, tx pgx.Tx, r SkipTopicRequest) (SkipTopicResult, error) {
	tag, err := tx.Exec(ctx, statement("skip_aside"), named.Args{"topic": r.Topic})
	if err != nil || tag.RowsAffected() == 0 {
		return SkipTopicResult{}, err
	}
	result := SkipTopicResult{ActionID: "act_" + envelope.NewID(), Events: tag.RowsAffected()}
	detail, err := json.Marshal(map[string]any{"events": result.Events})
	if err != nil {
		return SkipTopicResult{}, err
	}
	_, err = tx.Exec(ctx, statement("record_action"), named.Args{
		"action_id": result.ActionID, "action": "outbox.skip_topic", "target": r.Topic,
		"operator": r.Operator, "reason": r.Reason, "detail": detail,
	})
	return result, err
}
