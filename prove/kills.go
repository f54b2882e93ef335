package prove

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"factline.dev/internal/devstack"
	"factline.dev/platform"
	"factline.dev/prove/check"
	"factline.dev/prove/fault"
	"factline.dev/prove/history"
	"factline.dev/prove/report"
	"factline.dev/prove/workload"
)

// killer is the proof of `factline up` against kill -9 while it runs.
type killer struct {
	observer

	cfg    KillsConfig
	report *report.Report
	// dir holds the folder of the stack and the log of its process.
	dir   string
	flags []string
	base  string
	dice  *rand.Rand
	load  *load
	// known is what the final history is made of, beside what is read.
	known history.History
	final history.History
}

// Kills runs the proof that `factline up` survives kill -9 of all of it under
// load: it is started, killed with its database at a random moment and started
// again, as often as asked; what it was told and what it holds is compared when
// it has come to rest. The error says why it could not be run to its end; what
// it found is in the report, whose verdict is FAIL or INCONCLUSIVE then too.
func Kills(ctx context.Context, cfg KillsConfig) (*report.Report, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("prove: check configuration: %w", err)
	}
	started := time.Now()
	k := &killer{observer: observer{patience: cfg.Patience}, cfg: cfg, dice: newDice(cfg.Seed)}
	if err := k.prepare(ctx); err != nil {
		return nil, err
	}
	cfg.OnHead(k.report)
	err := perform(ctx, k.steps(), k.report, cfg.OnStep)
	err = errors.Join(err, k.close())
	conclude(k.report, started, err)
	if cfg.Folder == "" && k.report.Verdict == report.Pass {
		err = os.RemoveAll(k.dir)
	}
	return k.report, err
}

func newDice(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 0x6b696c6c)) //nolint:gosec // a test's dice, no secret
}

func (k *killer) steps() []step {
	var all []step
	for n := 1; n <= k.cfg.Times; n++ {
		all = append(all, step{fmt.Sprintf("SIGKILL of all of it, %d of %d", n, k.cfg.Times), func(ctx context.Context, out *outcome) error {
			return k.crash(ctx, n, out)
		}})
	}
	return append(all,
		step{"after the last restart everything comes to rest", k.rest},
		step{"every acceptance that was answered is one completed order, and no order is without one", k.judgeOrders},
		step{"every committed event is on the log as it was committed, in the order of its aggregate", k.judgeLog},
		step{"each event has had its effect once, and a replay gives the same state", k.judgeEffects},
		step{"the kills fell under load", k.judgeCrashes},
	)
}

func (k *killer) prepare(ctx context.Context) (err error) {
	if k.catalogue, err = platform.Catalogue(); err != nil {
		return err
	}
	// A download should not count as a slow start.
	if _, err := devstack.InstallPostgres(ctx, "", k.cfg.Progress); err != nil {
		return err
	}
	if err := k.makeFolder(); err != nil {
		return err
	}
	if err := k.choosePorts(); err != nil {
		return err
	}
	k.report = &report.Report{
		Scenario: "kills", Seed: k.cfg.Seed,
		Facts: []report.Fact{
			{Name: "factline", Value: build()},
			{Name: "go", Value: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH},
			{Name: "postgres", Value: "embedded, it syncs to disk"},
			{Name: "broker", Value: "embedded " + module("github.com/twmb/franz-go/pkg/kfake") + ", it syncs to disk"},
			{Name: "load", Value: fmt.Sprintf("%g quotes a second", k.cfg.Rate)},
			{Name: "folder", Value: k.dir},
		},
		CannotShow: []string{
			"power cuts: what a killed process has written, the kernel still has",
			"replication, leader changes and lost replicas: the broker is one, without replicas",
		},
	}
	return nil
}

func (k *killer) makeFolder() (err error) {
	if k.dir = k.cfg.Folder; k.dir == "" {
		k.dir, err = os.MkdirTemp("", "factline-prove-")
	} else if k.dir, err = filepath.Abs(k.dir); err == nil {
		err = os.MkdirAll(k.dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("prove: make a folder: %w", err)
	}
	if entries, err := os.ReadDir(k.dir); err != nil || len(entries) > 0 {
		return errors.Join(fmt.Errorf("prove: use folder %s: it holds %d files; name one that is empty or missing", k.dir, len(entries)), err)
	}
	// The database server may run as another user and must get through.
	if err := os.Chmod(k.dir, 0o711); err != nil { //nolint:gosec // see above
		return fmt.Errorf("prove: open folder %s for the database server: %w", k.dir, err)
	}
	return nil
}

func (k *killer) folder() string { return filepath.Join(k.dir, "up") }

// choosePorts finds ports once: a restart has to get its own back. Empty
// addresses keep FACTLINE_POSTGRES and FACTLINE_KAFKA out.
func (k *killer) choosePorts() error {
	var ports [3]string
	for i := range ports {
		address, err := freeAddress()
		if err != nil {
			return err
		}
		_, ports[i], _ = net.SplitHostPort(address)
	}
	k.base = "http://127.0.0.1:" + ports[0]
	k.flags = []string{
		"--folder", k.folder(), "--http", "127.0.0.1:" + ports[0], "--postgres-port", ports[1], "--kafka-port", ports[2],
		"--postgres=", "--kafka=", "--line-delay", "20ms",
	}
	return nil
}

// launch starts all of it. It is up when it prints where it is.
func (k *killer) launch() (err error) {
	k.child, err = fault.Launch(fault.Spec{
		Binary: k.cfg.Binary, Args: slices.Concat(k.cfg.Args, k.flags), Env: k.cfg.Env,
		LogFile: filepath.Join(k.dir, "up.log"), Ready: func(line string) bool { return strings.Contains(line, k.base) },
	})
	return err
}

func (k *killer) awaitUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, k.patience)
	defer cancel()
	return k.child.AwaitReady(ctx)
}

// moment is when to kill.
type moment struct {
	// duringStart counts from the start of the process, and may find it up.
	duringStart bool
	after       time.Duration
	// into is how far into the work that an acceptance brings. It does not count
	// during a start.
	into time.Duration
}

// next draws a moment: one of four kills falls into a start, the first never,
// as nothing is under way then.
func (k *killer) next(n int) moment {
	inStart := k.dice.IntN(4) == 0
	below := func(d time.Duration) time.Duration { return time.Duration(k.dice.Float64() * float64(d)) }
	if n > 1 && inStart {
		return moment{duringStart: true, after: below(1500 * time.Millisecond)}
	}
	return moment{after: 300*time.Millisecond + below(2700*time.Millisecond), into: below(60 * time.Millisecond)}
}

// crash starts all of it, waits for the moment and kills it.
func (k *killer) crash(ctx context.Context, n int, out *outcome) error {
	when := k.next(n)
	if err := k.launch(); err != nil {
		return err
	}
	if !when.duringStart {
		if err := k.awaitUp(ctx); err != nil {
			return err
		}
		out.saw("up after %s", k.child.Age().Round(time.Millisecond))
		if k.load == nil {
			k.load = k.startLoad(ctx)
		}
	}
	if err := k.awaitMoment(ctx, when); err != nil {
		return err
	}
	crash, err := k.strike(ctx, n)
	if err != nil {
		return err
	}
	k.known.Crashes = append(k.known.Crashes, crash)
	if when.duringStart {
		out.saw("%s after its start, up: %v; %d acceptances without answer", when.after.Round(time.Millisecond), crash.WasUp, crash.Unanswered)
	} else {
		out.saw("%s after it was up and %s into an acceptance; %d without answer", when.after.Round(time.Millisecond), when.into.Round(time.Millisecond), crash.Unanswered)
	}
	out.fired(check.CrashKilledAll(crash))
	return nil
}

// awaitMoment waits for the moment and then, when it is up, for an acceptance, so
// that a kill falls upon work: between two quotes it would often find none.
func (k *killer) awaitMoment(ctx context.Context, when moment) error {
	if err := k.pause(ctx, when.after); err != nil || when.duringStart {
		return err
	}
	for waited := time.Now(); k.load.client.Accepting() == 0 && time.Since(waited) < 2*time.Second; {
		if err := k.pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return k.pause(ctx, when.into)
}

func (k *killer) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-k.child.Done():
		return fmt.Errorf("prove: keep it under load: it ended by itself (%s): %s", k.child.Ending(), k.child.Tail())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close ends what still runs.
func (k *killer) close() error {
	if k.load != nil {
		k.load.cut()
	}
	if k.recorder != nil {
		k.recorder.Close()
	}
	if k.child == nil {
		return nil
	}
	const patience = 30 * time.Second
	if err := k.child.Stop(patience); err != nil {
		return err
	}
	if ending := k.child.Ending(); ending != "exit 0" && ending != "killed" {
		return fmt.Errorf("prove: stop it: it ended by %q: %s", ending, k.child.Tail())
	}
	return nil
}

// load is quotes on their way while all is killed and started.
type load struct {
	client *workload.Client
	cancel context.CancelFunc
	enough chan struct{}
	quotes chan []history.Quote
}

func (k *killer) startLoad(ctx context.Context) *load {
	ctx, cancel := context.WithCancel(ctx)
	l := &load{client: workload.NewClient(k.base), cancel: cancel, enough: make(chan struct{}), quotes: make(chan []history.Quote, 1)}
	planner := workload.NewPlanner("kills", k.cfg.Seed)
	go func() { l.quotes <- l.client.Drive(ctx, planner, k.cfg.Rate, l.enough) }()
	return l
}

// end begins no more quotes and returns what became of all, those without an
// answer by then as unknown.
func (l *load) end(patience time.Duration) []history.Quote {
	close(l.enough)
	late := time.AfterFunc(patience, l.cancel)
	defer late.Stop()
	return <-l.quotes
}

// cut ends it without waiting for answers.
func (l *load) cut() {
	l.cancel()
	l.client.Close()
}
