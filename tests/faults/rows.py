"""Which test holds which row of the table of faults; every row is looked up here by its number.

A row is held by tests named "file::function" under `tests/`. `WAITS` says what of a row nothing
holds yet, and why. `INVARIANTS` are what must hold whatever fails, in plain words.
"""

from __future__ import annotations

from dataclasses import dataclass

INVARIANTS = {
    "I1": "no answer without a durable entry on both sides",
    "I2": "spent is never less than what was released, and never falls",
    "I3": "never a silent partial",
    "I4": "every checkpoint that anybody saw is of one history",
    "I5": "one question id is one draw, one charge and one answer",
    "I6": "what cannot be checked is refused",
    "I7": "no value of the data in errors, logs, temporary files or core files",
    "I8": "a fault looks the same whoever is in the data",
    "I9": "every call ends in its time, and what it held is given back",
    "I10": "a restart needs no hand, and a crash during it does no harm",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A fault and the tests that hold it."""

    name: str
    held_by: tuple[str, ...] = ()


_STORM = "faults/test_storm.py::test_nothing_that_must_hold_breaks_whatever_fails_when"
_LIVES = "faults/test_lives.py::test_nothing_that_must_hold_breaks_whichever_operation_fails"
_HALFWAY = "faults/test_halfway.py::"
_MACHINE = "faults/test_machine.py::"
_LOG = "evidence/test_faults.py::"
_RECORDS = "faults/test_records.py::"
_JOURNAL = "evidence/test_journal.py::"
_LEDGER = "nodes/test_ledger.py::"
_LINE = "faults/test_lines.py::"

ROWS: dict[int, Row] = {
    1: Row("an end at every named point", (
        _LIVES, _RECORDS + "test_records_are_kept_once_whichever_write_is_the_last",
        "evidence/test_keyfile.py::"
        "test_a_start_that_ends_while_it_makes_a_key_is_followed_by_one_that_makes_it",
        _LOG + "test_a_crash_between_any_two_operations_loses_nothing",
        _LEDGER + "test_a_reservation_outlives_the_process_that_made_it",
        "cases/test_stepping.py::test_a_crash_at_any_point_leaves_one_effect",
        "cases/test_store.py::test_a_crash_between_store_log_and_show_leaves_every_change_once",
        "evidence/test_archive.py::test_a_crash_at_any_step_loses_nothing",
    )),
    2: Row("kill -9 under load", (
        _STORM, "cases/test_faults.py::test_every_case_ends_once_whoever_is_killed_when",
    )),
    3: Row("kill -9 in recovery", (_STORM,)),
    4: Row("lost writes", (
        _LOG + "test_a_crash_between_any_two_operations_loses_nothing",
        _JOURNAL + "test_no_order_of_events_loses_an_entry",
    )),
    5: Row("torn tails", (
        _JOURNAL + "test_a_tail_cut_at_any_byte_is_cut_back_to_whole_entries",
        _JOURNAL + "test_a_last_record_overwritten_from_any_byte_is_cut",
        _JOURNAL + "test_a_copied_tail_adds_nothing",
        _JOURNAL + "test_a_torn_batch_with_a_whole_record_behind_the_gap_is_cut",
    )),
    6: Row("tile boundaries", (
        "evidence/test_go.py::test_go_verifies_a_log_around_every_boundary",
        "evidence/test_tiles.py::test_growing_in_two_steps_publishes_all_that_one_step_does",
    )),
    7: Row("a failed sync", (
        _LIVES,
        _HALFWAY + "test_a_case_goes_on_when_a_change_failed_half_way",
        _HALFWAY + "test_an_alert_that_failed_half_way_is_told_once",
        _LOG + "test_one_failed_write_stops_the_log_until_a_restart",
        _LOG + "test_everybody_who_waits_for_a_failed_sync_hears_of_it",
        "nodes/test_lost_writes.py::test_after_a_failed_sync_nothing_is_charged_until_a_restart",
        "handlers/test_quotas.py::test_after_a_failed_sync_nothing_is_counted_until_a_restart",
    )),
    8: Row("a full disk", (
        _LIVES, _STORM,
        "cases/test_stepping.py::test_a_memory_that_fails_once_leaves_one_effect",
        "evidence/test_full_disk.py::test_a_real_full_disk_under_load",
        "evidence/test_full_disk.py::test_a_crash_around_a_full_disk_loses_nothing",
        _LEDGER + "test_a_full_disk_refuses_and_keeps_what_was_spent",
        "evidence/test_witness.py::test_a_full_disk_stops_a_witness_only_while_it_is_full",
    )),
    9: Row("a short write", (
        _MACHINE + "test_writes_in_pieces_and_signals_all_the_time_change_nothing",
        _MACHINE + "test_a_file_that_may_not_grow_is_a_refusal_until_a_restart",
        "nodes/test_lost_writes.py::test_a_write_that_fails_stops_the_ledger_too",
        _LOG + "test_a_folder_that_cannot_be_written_stops_the_log",
    )),
    10: Row("a slow disk", (
        _MACHINE + "test_a_slow_disk_costs_time_and_nothing_else",
        "evidence/test_log.py::test_appends_that_arrive_during_a_sync_share_the_next",
        "evidence/test_log.py::test_nothing_is_signed_before_the_journal_is_synced",
    )),
    11: Row("a flipped bit at rest", (
        "evidence/test_damage.py::test_every_changed_bit_of_a_small_folder_is_noticed",
        "evidence/test_damage.py::test_every_changed_bit_of_the_journal_is_noticed_at_start",
        _LEDGER + "test_a_damaged_ledger_stops_the_start",
        "evidence/test_witness.py::test_a_damaged_memory_stops_the_start",
    )),
    12: Row("a rename that was not synced", (
        _LOG + "test_a_crash_between_any_two_operations_loses_nothing",
        "nodes_engine/test_store.py::test_an_interrupted_switch_leaves_one_whole_version",
    )),
    13: Row("yesterday's backup", (
        "journeys/test_witness.py::"
        "test_a_gateway_on_yesterdays_backup_answers_nothing_and_says_why",
        "journeys/test_witness.py::test_a_node_on_yesterdays_backup_is_stopped_by_the_gateway",
        "evidence/test_oversight.py::test_a_backup_that_went_on_is_a_fork_and_found",
    )),
    14: Row("two processes on one state", (
        _LEDGER + "test_two_nodes_cannot_share_a_ledger",
        "evidence/test_witness.py::test_two_processes_cannot_share_a_memory",
        "sdk/test_server.py::test_a_port_in_use_is_one_clear_sentence",
        _LINE + "test_a_second_gateway_on_the_same_state_does_not_start",
    )),
    15: Row("a node is down", (
        "gateway/test_descriptions.py::"
        "test_what_was_known_at_the_last_start_is_known_while_its_department_is_away",
        "journeys/test_crossing.py::test_a_node_killed_in_the_middle_is_named_within_the_deadline",
        "pooling/test_faults.py::test_nobody_left_is_said_so",
        "gateway/test_questions.py::"
        "test_a_missing_department_is_named_and_never_silently_left_out",
    )),
    16: Row("a slow line", (
        _LINE + "test_a_call_over_such_a_line_ends_with_the_callers_time",
        "pooling/test_faults.py::test_a_slow_member_ends_in_one_clear_sentence",
    )),
    17: Row("half-open connections", (
        _LINE + "test_a_call_over_such_a_line_ends_with_the_callers_time",
        "attacks/test_floods.py::test_half_open_connections_hold_nobody_up",
    )),
    18: Row("the work done, the reply lost", (
        _LINE + "test_a_lost_reply_is_the_same_answer_and_one_charge",
        "pooling/test_faults.py::test_a_reply_that_was_lost_is_given_again",
    )),
    19: Row("duplicated, late and old messages", (
        "linked/test_rounds.py::test_a_round_that_comes_twice_is_refused",
        "linked/test_rounds.py::test_one_id_is_one_draw_and_one_charge",
        "pooling/test_lies.py::test_one_id_is_one_question_of_one_set_of_members",
    )),
    20: Row("a reply cut after any byte", (
        _LINE + "test_a_reply_cut_anywhere_is_whole_or_no_answer",
    )),
    21: Row("a worker dies", (
        "nodes_engine/test_pool.py::test_a_worker_killed_in_a_run_fails_that_run_only",
        "nodes_engine/test_limits.py::test_a_memory_bomb_fails_and_the_next_question_is_answered",
        "nodes_engine/test_limits.py::test_a_run_over_its_processor_time_fails",
        "nodes_engine/test_limits.py::test_a_run_spills_nothing_to_disk",
    )),
    22: Row("a stopped process goes on", (
        _LINE + "test_a_stopped_node_is_named_in_time_and_charges_once_when_it_goes_on",
        _LINE + "test_a_stopped_gateway_gives_no_second_draw_when_it_goes_on",
    )),
    23: Row("clocks", (
        _MACHINE + "test_a_token_is_judged_by_each_servers_own_clock",
        _RECORDS + "test_a_clock_that_jumps_loses_no_record_and_opens_no_quota_again",
        "membership/test_open_streams.py::"
        "test_by_the_clock_of_the_machine_no_connection_is_opened",
        _MACHINE + "test_clocks_that_jump_within_the_leeway_change_neither_order_nor_charge",
        _MACHINE + "test_a_clock_that_goes_back_opens_no_budget_again",
        _LEDGER + "test_a_clock_set_back_opens_no_earlier_period",
        _LOG + "test_a_clock_that_jumps_costs_neither_entries_nor_order",
        "identity/test_memory.py::test_a_known_token_is_refused_when_the_clock_goes_back",
        "identity/test_keys.py::test_a_clock_that_goes_back_neither_blinds_nor_lengthens",
        "consultation/test_grants.py::test_a_clock_that_goes_back_revives_no_grant",
    )),
    24: Row("witnesses away", (
        "evidence/test_oversight.py::"
        "test_without_a_quorum_the_log_stops_after_its_limit_and_goes_on_when_it_is_back",
        "evidence/test_oversight.py::test_one_witness_down_is_told_once_and_caught_up_later",
    )),
    25: Row("keys away, certificates that end", (
        "membership/test_open_streams.py::"
        "test_a_stream_of_records_ends_with_the_certificate_that_opened_it",
        _MACHINE + "test_a_stream_ends_with_the_token_that_opened_it",
        "identity/test_binding.py::"
        "test_a_callers_certificate_that_has_ended_is_refused_on_the_connection_that_it_opened",
        "identity/test_keys.py::"
        "test_a_broken_file_leaves_the_last_good_keys_for_the_grace_and_no_longer",
        "membership/test_renewal.py::"
        "test_a_gateway_that_was_away_when_it_was_time_renews_when_it_is_back",
        "membership/test_revoked_certificates.py::"
        "test_a_certificate_that_ends_on_an_open_connection_is_refused_there",
        "membership/test_rotation.py::"
        "test_connections_opened_later_get_the_new_certificate_and_no_call_fails",
        "membership/test_rotation.py::"
        "test_a_node_whose_certificate_has_ended_is_asked_no_more_over_the_connection_it_opened",
    )),
    26: Row("no descriptors, no memory left", (
        _MACHINE + "test_a_server_that_gets_no_thread_refuses_and_goes_on",
        "edge/test_pool.py::test_a_server_that_cannot_have_its_threads_does_not_start",
        _MACHINE + "test_a_server_without_memory_fails_and_gives_nothing_wrong",
        _LINE + "test_a_gateway_without_descriptors_comes_back_when_it_has_some",
    )),
    27: Row("an orderly stop with calls in flight", (
        "operating/test_rolling_restart.py::test_no_request_fails",
        "operating/test_rolling_restart.py::test_nobody_is_charged_twice",
        "sdk/test_outages.py::test_stopping_under_load_is_never_a_fault",
    )),
    28: Row("other data, older ledgers", (
        "dates/test_days.py::test_data_of_different_days_are_not_mixed",
        "dates/test_days.py::test_a_load_between_plan_and_question_mixes_nothing",
        "dates/test_days.py::test_an_answer_and_both_logs_say_of_which_day_the_data_are",
        "dates/test_loads.py::"
        "test_two_real_departments_are_asked_together_when_both_are_of_one_day",
        "nodes/test_following.py::"
        "test_a_question_planned_by_the_earlier_contract_is_not_answered_by_the_later",
        "journeys/test_witness.py::test_a_node_on_yesterdays_backup_is_stopped_by_the_gateway",
    )),
    29: Row("a replaced or damaged table", (
        "nodes_engine/test_pool.py::test_damage_inside_a_file_is_a_failure_without_words",
        "nodes_engine/test_pool.py::"
        "test_a_replaced_file_serves_the_old_data_until_the_worker_ends",
        "nodes_engine/test_store.py::test_two_loads_of_one_contract_do_not_mix",
    )),
    30: Row("other versions of files", (
        _LEDGER + "test_a_newer_ledger_is_refused",
        "evidence/test_entry.py::test_another_version_is_refused",
        "pooling/test_plan.py::test_a_ledger_of_the_version_before_is_taken_over",
        "faults/test_taking_over.py::test_a_gateway_that_ends_in_a_migration_starts_again",
        "faults/test_taking_over.py::"
        "test_a_node_that_ends_in_taking_a_file_over_starts_again",
    )),
    31: Row("one after the other, in random order", (_STORM,)),
    32: Row("the same in both worlds", (
        "attacks/test_engine.py::test_a_run_that_fails_says_the_same_of_all_data_and_stays_charged",
        "attacks/test_faults_in_worlds.py::test_a_fault_looks_the_same_whoever_is_in_the_data",
        "attacks/test_standing_in_worlds.py::test_a_watch_looks_the_same_whoever_is_in_the_data",
        "attacks/test_standing_in_worlds.py::test_a_case_looks_the_same_whoever_is_in_the_data",
        "audit/test_linked_apart.py::test_no_linked_question_tells_the_worlds_apart",
    )),
}  # fmt: skip

WAITS: dict[int, str] = {
    32: "a worker at its limit of memory: what a run needs grows with the data, so a question that "
    "needs nearly all of it can end in either way for one row more; see docs/faults.md",
}

BY: dict[int, str] = {
    1: "log before reply", 2: "log before reply", 3: "recovery from files", 4: "sync, then say",
    5: "cut back to whole entries", 6: "tiles by their format", 7: "stop after a failed sync",
    8: "no room: refuse", 9: "stop after a failed write", 10: "order of commits",
    11: "hashes and checks", 12: "old or new, whole", 13: "witnesses", 14: "a lock on the state",
    15: "names who is missing", 16: "deadlines", 17: "keepalive, deadlines", 18: "one id, one draw",
    19: "one id, signed requests", 20: "whole or nothing", 21: "workers of their own",
    22: "one id, deadlines", 23: "periods that only go on", 24: "quorum",
    25: "last good keys, for a time", 26: "waits for descriptors; a restart", 27: "grace and drain",
    28: "versions of data", 29: "versions of data", 30: "versions of files",
    31: "log and ledger", 32: "one constant sentence",
}  # fmt: skip
"""What makes a fault harmless, in a word."""
