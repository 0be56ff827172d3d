"""Standing questions at the gateway: kept, evaluated in time, told to who follows them."""
