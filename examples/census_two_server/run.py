"""A census that nobody reads: two offices hold half of every answer each, and give out totals.

landbridge up examples/census_two_server --once examples/census_two_server/run.py
"""

from random import Random

import landbridge
import landbridge.testing

PURPOSE = "dpv:ServiceProvision"
HEATING = ["district"] * 3 + ["gas"] * 5 + ["wood"] * 2

federation = landbridge.testing.current()
planner = federation.client("planner")
households = Random(2026)  # noqa: S311 - an example tells the same story each time

# What households told the first enumerator; it is split here, before anything is sent.
north = federation.client("north")
for column, answers in {
    "arrears": [households.random() < 0.3 for _ in range(30)],
    "heating": [households.choice(HEATING) for _ in range(30)],
    "persons": [households.randint(1, 8) for _ in range(30)],
}.items():
    contribution = north.contribute("household", column, *answers, purpose=PURPOSE)
    print(f"{column}: both offices hold their share of {contribution.accepted} answers")

# A batch of thirty is too small: it stays, and nobody is told anything.
try:
    planner.collect("household", "arrears", purpose=PURPOSE)
except landbridge.Refused as refused:
    print(f"Refused: {refused.reason}")

south = federation.client("south")
south.contribute("household", "arrears", *[True] * 9, *[False] * 21, purpose=PURPOSE)
south.contribute("household", "heating", *HEATING * 3, purpose=PURPOSE)
south.contribute("household", "persons", *[1, 2, 3, 4, 2] * 6, purpose=PURPOSE)

# What the household cannot have said never leaves the enumerator's machine.
try:
    south.contribute("household", "persons", 80, purpose=PURPOSE)
except landbridge.LandbridgeError as wrong:
    print(f"Not sent: {wrong.message} {wrong.hint}")

for column in ("arrears", "heating", "persons"):
    answer = planner.collect("household", column, purpose=PURPOSE, epsilon=2)
    print(answer)
    for note in answer.notes:
        print(f"  {note.text}")

# The same reports are in no second batch.
try:
    planner.collect("household", "arrears", purpose=PURPOSE)
except landbridge.Refused as refused:
    print(f"Collected once: {refused.reason}")
