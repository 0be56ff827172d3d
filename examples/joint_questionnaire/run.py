"""One form, five cities, one total; and one question that is too fine, which a city narrows.

landbridge up examples/joint_questionnaire --once examples/joint_questionnaire/run.py
"""

from itertools import islice

import landbridge
import landbridge.testing

PURPOSE = "dpv:ServiceProvision"
BASIS = "Act on the Relief of Energy Costs, section 4: the province distributes the relief fund."

federation = landbridge.testing.current()
province = federation.client("planner")

# Every city answers, nobody's part is shown.
total = province.query(
    "SELECT heating, count(*) AS households, avg(income) AS income FROM household "
    "GROUP BY heating ORDER BY households DESC",
    purpose=PURPOSE,
    epsilon=2,
)
print(f"One total of {len(total.departments)} cities: {', '.join(total.departments)}")
print(total)

# Who is behind with energy bills is restricted: policy does not answer that, an officer may.
FINE = (
    "SELECT quarter, date_trunc('day', answered) AS day, arrears, count(*) AS households "
    "FROM harbour.household GROUP BY quarter, day, arrears"
)
try:
    province.query(FINE, purpose=PURPOSE)
except landbridge.Refused as refused:
    print(f"Refused by policy: {refused.message}")
consultation = province.consult(FINE, purpose=PURPOSE, basis=BASIS)
print(f"Opened {consultation.id}, for the {consultation.view.role} of Harbour")

# The city's officer, on the machine of the city's node: by day and quarter is too fine.
with federation.reviewer("harbour", "officer_harbour") as officer:
    (waiting,) = officer.list()
    seen = officer.show(waiting.id)
    print(f"The officer sees: {seen.question}")
    print(f"  for {seen.caller} of {seen.organisation}: {seen.basis}")
    print(f"  it takes: {', '.join(seen.lifts)}")
    officer.narrow(
        seen,
        without=["quarter"],
        coarser={"date_trunc('day', answered)": "month"},
        text="By month and for the whole city this serves the fund as well.",
    )

# The province is told, accepts, and asks what was approved: once.
for event in islice(consultation.follow(timeout=30), 1):
    print(f"The city {event.kind} it: {event.text}")
consultation.accept()
print(f"Approved: {consultation.sql}")
print(consultation.answer())
try:
    consultation.answer()
except landbridge.Refused as refused:
    print(f"A second time: {refused.message}")
