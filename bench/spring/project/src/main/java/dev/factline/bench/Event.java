package dev.factline.bench;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.OffsetDateTime;

/** What the projection keeps of an event. */
@JsonIgnoreProperties(ignoreUnknown = true)
record Event(
    String eventId, String tenantId, long aggregateVersion, String occurredAt, Payload payload) {

  @JsonIgnoreProperties(ignoreUnknown = true)
  record Payload(String orderId, Totals totals) {}

  @JsonIgnoreProperties(ignoreUnknown = true)
  record Totals(String oneTimeTotal, String recurringTotal) {}

  private static final ObjectMapper JSON = new ObjectMapper();

  static Event of(byte[] value) {
    try {
      return JSON.readValue(value, Event.class);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  OffsetDateTime time() {
    return OffsetDateTime.parse(occurredAt);
  }
}
