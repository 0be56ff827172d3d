"""Prio3: two servers add up values that neither of them sees, and refuse what is no such value.

The verifiable distributed aggregation function of draft-irtf-cfrg-vdaf-18, section 7: Prio3Count,
Prio3Sum and Prio3Histogram. A contributor splits its value into one share for each aggregator, with
a proof that the value is in range; the aggregators check the proof together, each on its share, and
add up the shares that passed. `aggregation` is what others use; the published test vectors are in
tests/protocols/vdaf.

Written over many reports at once (numpy): every array has one row for each report.

What is not promised: constant time. Arithmetic in Field64 runs without a branch on its numbers;
Field128 uses Python's integers, whose time depends on how long they are. What a node computes on
are shares, which are uniform whatever the value is; the one place where the value itself is
handled is the contributor's own machine (`shard`), and who can time that to nanoseconds should be
taken to know the value.
"""
