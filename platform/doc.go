// Package platform is the reference CPQ and order management platform built on
// this library: quote-service, order-service and projection-service, each with a
// database of its own, one HTTP port, and seeded content to start from.
//
// [Run] runs it: it migrates, seeds, relays, consumes, fires timers and serves
// HTTP until its context ends, then drains. [Provision] makes the databases and
// roles, [Topics] lists what the broker needs. [Load] drives quotes through a
// running platform over HTTP. [Replays] are its read models for replay.
//
// It shows how services are built on the library and proves it end to end; it is
// no product to order telephone lines with. Services stand in internal rooms:
// nothing imports them, and they do not import each other.
package platform
