package prove

import (
	"context"
	"errors"
	"slices"
	"time"

	"factline.dev/prove/check"
	"factline.dev/prove/history"
)

// rest starts it for the last time, lets the load end, and waits until nothing
// is under way any more.
func (k *killer) rest(ctx context.Context, out *outcome) error {
	if err := k.launch(); err != nil {
		return err
	}
	if err := k.awaitUp(ctx); err != nil {
		return err
	}
	out.saw("up after %s", k.child.Age().Round(time.Millisecond))
	began := time.Now()
	k.known.Quotes = k.load.end(k.patience)
	requests := 0
	for _, q := range k.known.Quotes {
		requests += q.Requests
	}
	out.saw("the load ended: %d quotes, %d requests", len(k.known.Quotes), requests)
	if err := k.look(ctx); err != nil {
		return err
	}
	restless := k.settle(ctx)
	var err error
	if k.final, err = k.read(ctx, k.known); err != nil {
		return errors.Join(restless, err)
	}
	if restless != nil {
		judgeWhole(k.final, k.handles(), out)
		return restless
	}
	out.saw("at rest %s after it was up", time.Since(began).Round(time.Millisecond))
	out.check(check.NothingWaits(k.final.Waiting, nil))
	return nil
}

// look opens connections of the prover's own. Before the last start they would
// only die with the rest.
func (k *killer) look(ctx context.Context) error {
	databases, brokers, err := k.cfg.Find(k.folder())
	if err != nil {
		return err
	}
	k.brokers = brokers
	k.recorder, err = history.NewRecorder(ctx, databases, brokers, k.topics())
	return err
}

// judgeWhole names what is lost where nothing comes to rest.
func judgeWhole(h history.History, expected []check.Handles, out *outcome) {
	checkOrders(h, out)
	checkLog(h, out)
	checkEffects(h, expected, out)
}

// handles is what the contracts say that each group reads.
func (k *killer) handles() (all []check.Handles) {
	for _, r := range readings() {
		h := check.Handles{Group: r.group, Topic: r.topic}
		for _, e := range k.catalogue.ReadBy(r.group) {
			if e.Topic == r.topic && !slices.Contains(h.Types, e.Type) {
				h.Types = append(h.Types, e.Type)
			}
		}
		all = append(all, h)
	}
	return all
}

func checkOrders(h history.History, out *outcome) {
	out.check(check.OneOrderPerQuote(h.Quotes, h.Accepted, h.Orders))
	out.check(check.EveryQuoteAnswered(h.Quotes))
}

func checkLog(h history.History, out *outcome) {
	whole := check.LogIsWhole(h.Log)
	if out.fired(whole); !whole.OK() {
		return // what retention dropped would be told as lost
	}
	out.check(check.CommittedAreOnLog(h.Committed, h.Log))
	out.check(check.ValuesAsCommitted(h.Committed, h.Log))
	out.check(check.FirstOccurrencesInOrder(h.Log))
}

func checkEffects(h history.History, expected []check.Handles, out *outcome) {
	out.check(check.EffectsOnce(h.Committed, h.Log, h.Orders))
	out.check(check.AppliedOnce(h.Inboxes, h.Log, expected))
	out.check(check.ProjectionShowsOrders(h.Orders, h.Summaries, nil))
}

func (k *killer) judgeOrders(_ context.Context, out *outcome) error {
	checkOrders(k.final, out)
	return nil
}

func (k *killer) judgeLog(_ context.Context, out *outcome) error {
	checkLog(k.final, out)
	return nil
}

func (k *killer) judgeEffects(ctx context.Context, out *outcome) error {
	checkEffects(k.final, k.handles(), out)
	return k.replayAll(ctx, out)
}

func (k *killer) judgeCrashes(_ context.Context, out *outcome) error {
	h := k.final
	works := check.UnderWay(h.Crashes, h.Committed, h.Log, h.Inboxes)
	for i, c := range h.Crashes {
		state := "up"
		if !c.WasUp {
			state = "starting"
		}
		out.saw("kill %d (%s): %d events not yet published, %d effects not yet done, %d acceptances not yet answered",
			c.Number, state, works[i].Unpublished, works[i].Unapplied, c.Unanswered)
	}
	out.fired(check.CrashesHitWork(h.Crashes, works))
	return nil
}
