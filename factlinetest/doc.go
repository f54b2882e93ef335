// Package factlinetest gives tests a real PostgreSQL and a broker that speaks
// the real Kafka protocol, with nothing started by hand.
//
//	var migrated = factlinetest.PostgresTemplate("orders", func(ctx context.Context, conn *pgx.Conn) error {
//		return migrate.Up(ctx, conn)
//	})
//
//	func TestCapture(t *testing.T) {
//		t.Parallel()
//		db := factlinetest.Postgres(t, migrated)
//		kafka := factlinetest.Kafka(t)
//		topic := kafka.Topic(t, "orders")
//		kafka.CreateTopic(t, topic, 3, nil)
//		...
//		records := factlinetest.Consume(t, kafka.Addrs(), topic, 10)
//	}
//
// # PostgreSQL
//
// The first call of [Postgres] in a test binary starts one server (the pinned
// version of package devstack, downloaded once per machine) with fsync off; it
// ends with the binary, also when that is killed. Each call makes a database of
// its own, so tests run in parallel. search_path is empty in these databases:
// SQL that forgets a schema fails here instead of at a customer.
//
// FACTLINE_POSTGRES=postgres://user:password@host/db uses a running server
// instead; the user needs CREATEDB. Databases of failed tests stay there until a
// later run finds them a day old.
//
// Without a server the test fails with what to do. Nothing is ever skipped.
//
// # Kafka
//
// Each call of [Kafka] starts an embedded broker in the process. It is a real
// implementation of the protocol and no real cluster: no replication, no
// throttling, no timestamp validation. FACTLINE_KAFKA=host:port runs the same
// tests on a real one, which they share: name topics and groups with
// [Cluster.Topic].
//
// This package imports no other room of factline, so every room can use it.
package factlinetest
