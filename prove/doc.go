// Package prove runs the platform on a stack of its own, breaks it, and judges
// what it left behind.
//
// [Slice] is the proof of the event backbone: a workload over HTTP, a replay, a
// repeated event, a broken event, metrics, and SIGKILL at the points where a
// process may lose or double something. The prover hosts database and broker;
// the platform is its child process, started from a program that calls
// [RunChild], so that it can be killed like any process.
//
// [Kills] is the proof of `factline up`: all of it, database and broker included,
// is killed under load again and again. There the prover hosts nothing, and looks
// at what is left through connections of its own after the last restart.
//
// [Storm] is the proof of outbox and consumer against a bad network: proxies end
// every connection after a second and take servers away, and relays, which are
// processes, are paused and killed. It needs no platform.
//
// The parts: workload makes operations, fault injects and brings evidence that it
// fired, history records from outside, check judges by pure functions, report
// says what was seen. A fault without evidence makes the proof INCONCLUSIVE.
//
// Do not use it against a platform with data: it needs an empty broker, and it
// sends broken events.
package prove
