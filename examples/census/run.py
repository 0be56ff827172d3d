"""A census: sheets from citizens and enumerators, duplicates, corrections, and a table."""

import time

from landbridge import Contribution
from landbridge.testing import current

PURPOSE = "dpv:OfficialStatistics"
DISTRICTS = ("north", "east", "south", "west")
SQL = "SELECT district, count(*) AS persons FROM persons GROUP BY district ORDER BY district"


def sheet(number, **changes):
    """One person's sheet."""
    return {
        "person": f"S-{number:06}",
        "district": DISTRICTS[number % 4],
        "age": number * 7 % 100,
        "works": number % 2 == 0,
        **changes,
    }


def said(receipt):
    """What came of the sheets, in a line."""
    return ", ".join(f"{count} {reason}" for reason, count in sorted(receipt.counts.items()))


def main():
    """Runs inside `landbridge up examples/census --once ...`."""
    town = current()
    with (
        town.client("citizen") as citizen,
        town.client("neighbour") as neighbour,
        town.client("enumerator") as enumerator,
        town.client("ministry") as ministry,
    ):

        def hand_in(who, *sheets):
            return said(who.submit("persons", sheets, purpose=PURPOSE))

        print("a citizen's sheet:", hand_in(citizen, sheet(1)))
        print("the same once more:", hand_in(citizen, sheet(1)))
        # Nobody learns from the census who has answered it already.
        print("a neighbour for them:", hand_in(neighbour, sheet(1, district="west")))
        mended = Contribution(sheet(1, age=8), corrects=True)
        print("their own correction:", hand_in(citizen, mended))

        round_ = enumerator.submit("persons", map(sheet, range(2000)), purpose=PURPOSE)
        print("an enumerator's round:", said(round_))
        visit = Contribution(sheet(1, works=False), corrects=True)
        print("an enumerator's correction:", hand_in(enumerator, visit))

        for _ in range(60):
            answer = ministry.query(SQL, purpose=PURPOSE, epsilon=0.5)
            if answer.rows()[0][1] > 400:
                break
            time.sleep(2)
        for district, persons in answer.rows():
            print(f"{district:<6}{persons:>6.0f} ± {answer.accuracy['persons'][0]:.0f}")


main()
