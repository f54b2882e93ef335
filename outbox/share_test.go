package outbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/factlinetest"
)

// owners are how many lanes each instance has now.
func (b *bundle) owners() map[string]int {
	b.t.Helper()
	rows, err := b.pool.Query(b.t.Context(), `SELECT split_part(owner, '/', 1), count(*)::int FROM factline.outbox_lane
		WHERE leased_until > clock_timestamp() GROUP BY 1`)
	if err != nil {
		b.t.Fatal(err)
	}
	found := map[string]int{}
	var name string
	var lanes int
	if _, err := pgx.ForEachRow(rows, []any{&name, &lanes}, func() error { found[name] = lanes; return nil }); err != nil {
		b.t.Fatal(err)
	}
	return found
}

func (b *bundle) awaitOwners(want string) {
	b.t.Helper()
	factlinetest.Eventually(b.t, 10*time.Second, "owners "+want, func() (bool, error) {
		got := fmt.Sprint(b.owners())
		if got != want {
			return false, fmt.Errorf("owners are %s", got)
		}
		return true, nil
	})
}

// The lease is far longer than the test, so that nothing here is its end.
func longLease(name string) func(*RelayConfig) {
	return func(c *RelayConfig) { c.Instance, c.LeaseTTL = name, time.Hour }
}

func TestRelaysShareTheLanesAndHandThemOver(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	stopA := b.relay(longLease("a"))
	b.awaitOwners("map[a:16]")
	stopB := b.relay(longLease("b"))
	b.awaitOwners("map[a:8 b:8]")
	b.relay(longLease("c"))
	b.awaitOwners("map[a:6 b:5 c:5]")
	b.relay(longLease("d"))
	b.awaitOwners("map[a:4 b:4 c:4 d:4]")
	stopB()
	b.awaitOwners("map[a:6 c:5 d:5]")
	stopA()
	b.awaitOwners("map[c:8 d:8]")
	for i := range 40 {
		b.append(event(fmt.Sprint("a", i), ""))
	}
	checkOrder(t, b.published(40), 40)
}

// One lane has a chunk that nothing acknowledges: only that one waits for the
// end of its lease, which here never comes.
func TestADrainThatTakesTooLongGivesBackTheLanesAtRest(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	hook := newHoldHook(t)
	stop := b.relay(longLease("a"), func(c *RelayConfig) { c.Hooks, c.DrainTimeout = holdAfter{hook}, time.Millisecond })
	b.awaitOwners("map[a:16]")
	b.append(event("k", ""))
	<-hook.reached
	stop()
	if got := fmt.Sprint(b.owners()); got != "map[a:1]" {
		t.Errorf("owners are %s, want the lane in flight alone", got)
	}
	b.relay(longLease("b"))
	b.awaitOwners("map[a:1 b:15]")
}

// What is published above low water takes long to read for a new owner. The loop
// used to wait a lease for each lane, and lost what it had meanwhile.
func TestLanesAreTakenOverOnlyWhileThereIsTimeToRenew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, err := NewRelay(RelayConfig{Pool: b.pool, Brokers: []string{"127.0.0.1:1"}, LeaseTTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	l := &loop{relay: r, log: factlinetestLogger(t), slow: map[int16]int{}}
	fresh := func() (lanes []*lane) { return []*lane{newLane(0, 1, 0), newLane(1, 1, 0), newLane(2, 1, 0)} }
	l.trustedUntil = time.Now().Add(20 * time.Second) // a third of the lease
	if got := l.load(t.Context(), fresh()); len(got) != 0 {
		t.Errorf("%d lanes were taken over with no time left, want none", len(got))
	}
	l.trustedUntil = time.Now().Add(time.Minute)
	l.slow[0] = 1
	got := l.load(t.Context(), fresh())
	if len(got) != 3 || got[2].id != 0 || l.slow[0] != 0 {
		t.Errorf("%d lanes were taken over, want all three and the one that was too slow last", len(got))
	}
}

// The race detector sees a renewal that looks into fences while a sender puts
// one up.
func TestARenewalLeavesAFenceToItsSender(t *testing.T) {
	t.Parallel()
	parking := newLane(0, 1, 0)
	c := newChunk(parking, []outRow{{position: 1, topic: "t", key: []byte("k")}})
	parking.sending = c
	r := &Relay{cfg: RelayConfig{}.WithDefaults()}
	l := &loop{relay: r, log: r.cfg.Logger, lanes: map[int16]*lane{0: parking}}
	fenced := make(chan struct{})
	go func() {
		defer close(fenced)
		c.refuse(c.rows[0], errors.New("no"))
		c.rows = nil
	}()
	l.adopt(t.Context(), []lease{{lane: 0, epoch: 1}})
	<-fenced
	if l.finish(c); !parking.hasFences || parking.culprits != 1 {
		t.Errorf("the lane knows of %d culprits: an operator's decision would not be seen", parking.culprits)
	}
}

// Fences are loaded when an operator has decided, not at every renewal.
func TestFencesAreInDoubtOnlyAfterADecision(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	rejectPoison(b.kafka.Fake())
	b.append(event("bad", "POISON"), event("bad", ""))
	stop := b.relay(uncompressed)
	b.settledParked(2)
	stop()
	r := &Relay{store: &store{pool: b.pool}}
	parking := newLane(laneOf(b, "bad"), 1, 0)
	l := &loop{relay: r, lanes: map[int16]*lane{parking.id: parking}}
	if err := r.store.loadFences(t.Context(), []*lane{parking}); err != nil {
		t.Fatal(err)
	}
	if l.lookForDecisions(t.Context()); parking.unsure {
		t.Error("the fences are in doubt although nobody has decided")
	}
	b.resolve(b.parkedOne().ID, Retry)
	if l.lookForDecisions(t.Context()); !parking.unsure {
		t.Error("the fences are not in doubt although an operator has decided")
	}
}

// A hand-over waits for the chunk in flight, so that nothing is sent twice.
func TestAHandOverRepeatsNothing(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	for i := range 64 {
		b.append(event(fmt.Sprint("k", i), ""), event(fmt.Sprint("k", i), ""))
	}
	hook := newHoldHook(t)
	b.relay(longLease("a"), func(c *RelayConfig) { c.Hooks, c.ChunkEvents = holdAfter{hook}, 3 })
	<-hook.reached
	b.relay(longLease("b"))
	factlinetest.Eventually(t, 10*time.Second, "the second relay", func() (bool, error) {
		var relays int
		err := b.pool.QueryRow(t.Context(), "SELECT count(*) FROM factline.outbox_relay").Scan(&relays)
		return relays == 2, err
	})
	hook.letGo()
	b.awaitOwners("map[a:8 b:8]")
	b.settled()
	b.append(event("k0", ""))
	b.settled()
	all := b.published(129)
	checkOrder(t, all, 129)
	if len(all) != 129 {
		t.Errorf("%d records on the log, want 129", len(all))
	}
}

// relayProcess is a relay in a process of its own, for real signals.
type relayProcess struct {
	t   *testing.T
	cmd *exec.Cmd
}

const relayProcessVar = "FACTLINE_OUTBOX_TEST_RELAY"

func (b *bundle) relayProcess(name string) *relayProcess {
	b.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), relayProcessVar+"="+strings.Join([]string{name, factlinetest.DSN(b.pool), strings.Join(b.kafka.Addrs(), ",")}, " "))
	cmd.Stdout, cmd.Stderr = b.t.Output(), b.t.Output()
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	p := &relayProcess{b.t, cmd}
	b.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return p
}

func (p *relayProcess) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
	if s == syscall.SIGKILL || s == syscall.SIGTERM {
		err := p.cmd.Wait()
		if s == syscall.SIGTERM && err != nil {
			p.t.Errorf("a stopped relay ended with %v", err)
		}
	}
}

// runRelayProcess is the main function of a relayProcess.
func runRelayProcess(args string) int {
	words := strings.Fields(args)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	pool, err := pgxpool.New(ctx, words[1])
	if err != nil {
		return 1
	}
	defer pool.Close()
	r, err := NewRelay(RelayConfig{
		Pool: pool, Brokers: strings.Split(words[2], ","), Instance: words[0], LeaseTTL: time.Second, ChunkEvents: 20,
	})
	if err != nil || r.Run(ctx) != nil {
		return 1
	}
	return 0
}

// Pitfalls 5, 11, 12 and 13: relays join, leave, are killed and are paused for
// three leases, while there is work on a thousand keys.
func TestRelaysThatComeAndGoLoseAndInvertNothing(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	work := b.startWork(1000)
	first, second := b.relayProcess("first"), b.relayProcess("second")
	b.awaitOwners("map[first:8 second:8]")
	b.relayProcess("third")
	b.awaitOwners("map[first:6 second:5 third:5]")
	first.signal(syscall.SIGKILL)
	b.awaitOwners("map[second:8 third:8]")
	second.signal(syscall.SIGSTOP)
	b.awaitOwners("map[third:16]") // its lease is over
	work.awaitMore(b, 300)
	second.signal(syscall.SIGCONT)
	b.awaitOwners("map[second:8 third:8]")
	fourth := b.relayProcess("fourth")
	b.awaitOwners("map[fourth:6 second:5 third:5]")
	work.awaitMore(b, 300)
	fourth.signal(syscall.SIGTERM)
	b.awaitOwners("map[second:8 third:8]")
	committed := work.stop(b)
	b.settled()
	checkOrder(t, b.published(committed), committed)
}

// work appends to many keys, in parallel, until it is stopped.
type work struct {
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

func (b *bundle) startWork(keys int) *work {
	ctx, cancel := context.WithCancel(context.Background())
	w := &work{cancel: cancel}
	for writer := range 3 {
		w.wait.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := func(n int) Event { return event(fmt.Sprint("k", (i*37+writer*11+n*101)%keys), "") }
				err := pgx.BeginFunc(context.Background(), b.pool, func(tx pgx.Tx) error {
					return b.outbox.Append(context.Background(), tx, id(0), id(1), id(1), id(2))
				})
				if err != nil {
					b.t.Error(err)
					return
				}
			}
		})
	}
	b.t.Cleanup(func() { cancel(); w.wait.Wait() })
	return w
}

func (w *work) awaitMore(b *bundle, events int) {
	b.t.Helper()
	before := b.committed()
	factlinetest.Eventually(b.t, 20*time.Second, "more work", func() (bool, error) { return b.committed() >= before+events, nil })
}

func (w *work) stop(b *bundle) int {
	w.cancel()
	w.wait.Wait()
	return b.committed()
}

func (b *bundle) committed() (events int) {
	b.t.Helper()
	if err := b.pool.QueryRow(b.t.Context(), "SELECT count(*) FROM factline.outbox_event").Scan(&events); err != nil {
		b.t.Fatal(err)
	}
	return events
}
