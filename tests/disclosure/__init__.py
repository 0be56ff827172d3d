"""Cell keys, withheld cells and the differencing rule: tables as official statistics do."""
