package dev.factline.bench;

import com.zaxxer.hikari.HikariDataSource;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;
import org.springframework.kafka.listener.BatchMessageListener;
import org.springframework.kafka.listener.ConcurrentMessageListenerContainer;
import org.springframework.kafka.listener.ContainerProperties;
import org.springframework.kafka.listener.MessageListener;

/**
 * A consumer of Spring Kafka with an inbox. It reads orders, one a line: {@code consume TOPIC GROUP}
 * starts it and {@code stop} ends it, after which it writes {@code stopped}. It ends with its input,
 * hence with the process that started it.
 *
 * <p>Arguments: brokers, batch or record, concurrency, max.poll.records. The database is in the
 * environment.
 */
public final class Main {
  private final String brokers;
  private final boolean batch;
  private final int concurrency;
  private final String maxPollRecords;
  private final Inbox inbox;

  private Main(String[] args) {
    brokers = args[0];
    batch = args[1].equals("batch");
    concurrency = Integer.parseInt(args[2]);
    maxPollRecords = args[3];
    inbox = new Inbox(database(concurrency));
  }

  public static void main(String[] args) throws IOException {
    new Main(args).obey();
  }

  private static HikariDataSource database(int connections) {
    HikariDataSource pool = new HikariDataSource();
    pool.setJdbcUrl(System.getenv("BENCH_JDBC_URL"));
    pool.setUsername(System.getenv("BENCH_JDBC_USER"));
    pool.setPassword(System.getenv("BENCH_JDBC_PASSWORD"));
    pool.setMaximumPoolSize(connections);
    return pool;
  }

  private void obey() throws IOException {
    BufferedReader orders = new BufferedReader(new InputStreamReader(System.in));
    ConcurrentMessageListenerContainer<String, byte[]> running = null;
    for (String line = orders.readLine(); line != null; line = orders.readLine()) {
      String[] words = line.split(" ");
      if (words[0].equals("consume")) {
        running = container(words[1], words[2]);
        running.start();
      } else if (running != null) {
        running.stop();
        System.out.println("stopped");
      }
    }
    System.exit(0);
  }

  private ConcurrentMessageListenerContainer<String, byte[]> container(String topic, String group) {
    ContainerProperties properties = new ContainerProperties(topic);
    properties.setGroupId(group);
    properties.setMessageListener(batch ? batchListener(group) : recordListener(group));
    var container =
        new ConcurrentMessageListenerContainer<>(
            new DefaultKafkaConsumerFactory<>(
                settings(), new StringDeserializer(), new ByteArrayDeserializer()),
            properties);
    container.setConcurrency(concurrency);
    return container;
  }

  private Map<String, Object> settings() {
    return Map.of(
        ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, brokers,
        ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest",
        ConsumerConfig.MAX_POLL_RECORDS_CONFIG, maxPollRecords);
  }

  private BatchMessageListener<String, byte[]> batchListener(String group) {
    return records -> inbox.takeBatch(group, events(records));
  }

  private static List<Event> events(List<ConsumerRecord<String, byte[]>> records) {
    return records.stream().map(r -> Event.of(r.value())).toList();
  }

  private MessageListener<String, byte[]> recordListener(String group) {
    return r -> inbox.takeOne(group, Event.of(r.value()));
  }
}
