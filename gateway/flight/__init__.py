"""Arrow Flight SQL: the gateway's face for ADBC and JDBC tools, where `listen_flight` is set.

It converts and does nothing else: whatever is asked goes through the use cases of `gateway.asking`,
with the same steps, entries, limits and refusals as a question of the SDK. It speaks the methods of
arrow.flight.protocol.FlightService over the same server as everything else here, not over pyarrow's
own, which would send exceptions' texts and places to callers (decision 0034).
"""
