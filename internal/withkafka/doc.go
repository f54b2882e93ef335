// Command withkafka runs a command beside a real Apache Kafka of one node, which
// it starts before and stops after:
//
//	go run ./internal/withkafka -- go test ./outbox/... ./consumer/...
//
// The command finds the broker in FACTLINE_KAFKA, and withkafka ends with its
// exit code. When Kafka ends first, the command is told to stop and the exit
// code is not 0. It needs Java 17 or later, and Maven for the first time; see
// package devstack.
package main
