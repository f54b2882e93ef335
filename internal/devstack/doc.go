// Package devstack runs the parts factline needs on one machine without
// Docker: a real PostgreSQL server, an embedded Kafka broker and, where Java
// is at hand, a real Apache Kafka.
//
// `factline up` and the tests use it. It is no way to run anything in
// production: one server, one broker, no replica, no backup.
//
// What it guarantees:
//   - Downloads are pinned by SHA-256, checked before anything is unpacked, and
//     become visible in the cache by one rename: a broken or truncated download
//     never does.
//   - Servers are direct children. They end when the process that started them
//     ends, also after kill -9 (on Linux, by parent-death signal).
//   - A [Folder] is held by one process at a time. Data written to it survives
//     kill -9, unless [PostgresConfig.Volatile] is set.
//
// What fails does so with an error that names the file, port or process and
// says what to do about it. Nothing is skipped silently.
package devstack
