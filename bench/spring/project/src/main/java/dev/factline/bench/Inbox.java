package dev.factline.bench;

import com.zaxxer.hikari.HikariDataSource;
import java.sql.Array;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.springframework.jdbc.core.ConnectionCallback;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.support.JdbcTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

/**
 * Takes events into the database, each once: the row in the inbox and the effect commit together.
 * The effect is the same upsert as that of the other subjects.
 */
final class Inbox {
  private static final String TAKE_ONE =
      "INSERT INTO spring_inbox (consumer, event_id) VALUES (?, ?) ON CONFLICT DO NOTHING";
  private static final String TAKE_BATCH =
      """
      INSERT INTO spring_inbox (consumer, event_id)
      SELECT ?, id FROM unnest(?::text[]) AS id
      ON CONFLICT DO NOTHING
      RETURNING event_id
      """;
  private static final String PROJECT_ONE =
      """
      INSERT INTO bench.order_summary AS o
        (tenant_id, order_id, version, applied, one_time, recurring, last_event_id, captured_at)
      VALUES (?, ?, ?, 1, ?, ?, ?, ?)
      ON CONFLICT (tenant_id, order_id) DO UPDATE
      SET version = excluded.version, applied = o.applied + 1, one_time = excluded.one_time,
          recurring = excluded.recurring, last_event_id = excluded.last_event_id
      """;
  private static final String PROJECT_BATCH =
      """
      INSERT INTO bench.order_summary AS o
        (tenant_id, order_id, version, applied, one_time, recurring, last_event_id, captured_at)
      SELECT * FROM unnest(?::text[], ?::text[], ?::bigint[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::timestamptz[])
      ON CONFLICT (tenant_id, order_id) DO UPDATE
      SET version = excluded.version, applied = o.applied + excluded.applied, one_time = excluded.one_time,
          recurring = excluded.recurring, last_event_id = excluded.last_event_id
      """;

  private final JdbcTemplate jdbc;
  private final TransactionTemplate transaction;

  Inbox(HikariDataSource database) {
    jdbc = new JdbcTemplate(database);
    transaction = new TransactionTemplate(new JdbcTransactionManager(database));
  }

  void takeOne(String consumer, Event event) {
    transaction.executeWithoutResult(
        status -> {
          if (jdbc.update(TAKE_ONE, consumer, event.eventId()) == 1) {
            jdbc.update(
                PROJECT_ONE,
                event.tenantId(),
                event.payload().orderId(),
                event.aggregateVersion(),
                event.payload().totals().oneTimeTotal(),
                event.payload().totals().recurringTotal(),
                event.eventId(),
                event.time());
          }
        });
  }

  void takeBatch(String consumer, List<Event> events) {
    transaction.executeWithoutResult(
        status -> {
          List<String> ids = events.stream().map(Event::eventId).toList();
          Set<String> fresh = new HashSet<>(take(consumer, ids));
          List<Folded> orders = fold(events, fresh);
          if (!orders.isEmpty()) {
            project(orders);
          }
        });
  }

  private List<String> take(String consumer, List<String> ids) {
    return jdbc.execute(
        (ConnectionCallback<List<String>>)
            connection -> {
              try (var statement = connection.prepareStatement(TAKE_BATCH)) {
                statement.setString(1, consumer);
                statement.setArray(2, connection.createArrayOf("text", ids.toArray()));
                List<String> taken = new ArrayList<>(ids.size());
                try (var rows = statement.executeQuery()) {
                  while (rows.next()) {
                    taken.add(rows.getString(1));
                  }
                }
                return taken;
              }
            });
  }

  /** The last event of an order, and how many there were. */
  private record Folded(Event last, long applied) {}

  /** A statement cannot update a row twice, so the events of an order become one. */
  private static List<Folded> fold(List<Event> events, Set<String> fresh) {
    Map<String, Folded> orders = new LinkedHashMap<>();
    for (Event event : events) {
      // remove: a batch may hold an event twice.
      if (fresh.remove(event.eventId())) {
        orders.merge(
            event.payload().orderId(),
            new Folded(event, 1),
            (old, one) -> new Folded(one.last(), old.applied() + 1));
      }
    }
    return List.copyOf(orders.values());
  }

  private void project(List<Folded> orders) {
    jdbc.execute(
        (ConnectionCallback<Integer>)
            connection -> {
              try (var statement = connection.prepareStatement(PROJECT_BATCH)) {
                for (int i = 0; i < COLUMNS.size(); i++) {
                  Object[] values = orders.stream().map(COLUMNS.get(i).value()).toArray();
                  Array array = connection.createArrayOf(COLUMNS.get(i).type(), values);
                  statement.setArray(i + 1, array);
                }
                return statement.executeUpdate();
              }
            });
  }

  private record Column(String type, Function<Folded, Object> value) {}

  private static final List<Column> COLUMNS =
      List.of(
          new Column("text", o -> o.last().tenantId()),
          new Column("text", o -> o.last().payload().orderId()),
          new Column("bigint", o -> o.last().aggregateVersion()),
          new Column("bigint", Folded::applied),
          new Column("text", o -> o.last().payload().totals().oneTimeTotal()),
          new Column("text", o -> o.last().payload().totals().recurringTotal()),
          new Column("text", o -> o.last().eventId()),
          new Column("timestamptz", o -> o.last().occurredAt()));
}
