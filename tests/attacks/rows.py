"""Which test holds which row of the table of attacks; every row is looked up here by its number.

A row is held by tests named "file::function" under `tests/`. The statements of a row, in
`test_statements` and `statements`, begin with its number and are held by the tests of `STATEMENTS`
besides. `WAITS` says what of a row nothing holds yet, and why.
"""

from __future__ import annotations

from dataclasses import dataclass

STATEMENTS = (
    "attacks/test_worlds.py::test_refused_alike_in_every_running_world",
    "attacks/test_worlds.py::test_no_node_heard_of_what_was_refused",
    "attacks/test_worlds.py::test_answered_alike_but_for_the_noise_in_every_running_world",
)
"""Held against running federations, for every statement of every row."""


@dataclass(frozen=True, slots=True)
class Row:
    """An attack and the tests that hold it, beside those of its statements."""

    name: str
    held_by: tuple[str, ...] = ()


_IDENTITY = "attacks/test_doors.py::test_a_token_that_is_not_quite_one_gets_nothing"
_NODE = "attacks/test_doors.py::test_a_node_refuses_every_peer_but_the_gateway"
_HISTORY = "disclosure/test_differencing.py::test_the_second_half_of_a_difference_is_refused"
_ATTACKER = "audit/test_attackers.py::test_an_attacker_stays_under_the_bound"
_SANDBOX = "nodes_engine/test_sandbox.py::"
_TRANSCRIPT = "linked/test_transcript.py::"
_STOPPED = "attacks/test_engine.py::test_what_is_refused_or_explained_needs_no_engine"

ROWS: dict[int, Row] = {
    1: Row("id filter"),
    2: Row("quasi-id filter", (
        "disclosure/test_worlds.py::test_small_cells_look_alike_whoever_is_in_them",
    )),
    3: Row("complement differencing", (_HISTORY, _ATTACKER)),
    4: Row("individual tracker", (
        _HISTORY, _ATTACKER,
        "disclosure/test_differencing.py::test_the_history_survives_a_restart",
    )),
    6: Row("disguised equality"),
    7: Row("rowid"),
    11: Row("row as struct"),
    12: Row("alias list / RENAME"),
    13: Row("split group key"),
    14: Row("CASE / FILTER"),
    15: Row("isolation through other table", (
        "joins/test_federation.py::test_no_joined_text_tells_the_worlds_apart",
        "joins/test_cells.py::test_one_person_moves_the_cells_by_at_most_the_sensitivity",
    )),
    17: Row("HAVING oracle"),
    19: Row("top-n inside FROM"),
    20: Row("window / QUALIFY / DISTINCT ON"),
    21: Row("rare key existence", (
        "gateway/test_questions.py::test_an_empty_cell_is_answered_like_any_other",
        "attacks/test_undeclared_keys.py::test_a_rare_key_does_not_show_whatever_else_is_left_out",
    )),
    22: Row("high-cardinality key", (
        "attacks/test_undeclared_keys.py::test_a_column_whose_owner_did_not_opt_in_is_refused",
        "attacks/test_undeclared_keys.py::test_opting_in_opens_one_column_and_nothing_else",
    )),
    24: Row("margin subtraction", (
        "attacks/test_inference.py::test_margins_and_cells_carry_noise_of_their_own",
        "disclosure/test_suppression.py::test_no_sensitive_cell_is_determined_by_all_that_is_shown",
    )),
    25: Row("margins over time/callers", (
        "attacks/test_inference.py::test_margins_and_cells_carry_noise_of_their_own",
        "disclosure/test_worlds.py::test_margins_do_not_give_a_withheld_cell_away",
    )),
    27: Row("sliding window", (
        "attacks/test_inference.py::test_two_windows_differ_by_more_than_their_day",
        "disclosure/test_protection.py::test_filters_and_cut_points_in_disguise_are_refused",
    )),
    28: Row("bisection", (
        "attacks/test_inference.py::test_bisection_buys_no_income", _ATTACKER,
    )),
    29: Row("order statistics", (
        "quantiles/test_asking.py::test_other_order_statistics_are_refused_from_the_text",
        "quantiles/test_asking.py::test_methods_for_tables_answer_no_quantiles",
    )),
    30: Row("collectors"),
    31: Row("bit packing"),
    32: Row("clamp bypass"),
    33: Row("small-n moments", ("attacks/test_worlds.py::test_an_empty_cell_is_never_null",)),
    34: Row("NULL vs value", ("attacks/test_worlds.py::test_an_empty_cell_is_never_null",)),
    35: Row("count distinct"),
    36: Row("avg with exact n", (
        "audit/test_mechanisms.py::test_no_more_is_lost_than_claimed",
        "audit/test_crossing.py::test_a_programme_gives_away_no_more_than_it_may",
    )),
    37: Row("row multiplication", (
        "joins/test_reading.py::test_every_other_join_is_refused_where_it_stands",
        "joins/test_cells.py::test_the_bound_is_reached",
    )),
    42: Row("integer overflow", (
        "gateway/test_questions.py::test_values_outside_the_clip_interval_count_as_its_ends",
        "gateway/test_questions.py::test_no_part_of_an_expression_can_overflow",
        "nodes_engine/test_load.py::test_each_broken_promise_is_found_counted_and_not_told",
    )),
    44: Row("noise grid", (
        "attacks/test_inference.py::test_every_answer_lies_on_one_grid",
        "nodes/test_release.py::test_noise_has_the_exact_discrete_distribution",
    )),
    45: Row("averaging incl. rewrites", (
        "attacks/test_budget.py::test_fifty_spellings_are_one_draw_and_one_charge", _ATTACKER,
    )),
    47: Row("two doors", (
        "sql/test_flight.py::test_an_exhausted_budget_is_exhausted_through_both_doors",
        _NODE,
        "attacks/test_doors.py::test_around_the_gateway_there_is_no_second_draw",
        "attacks/test_doors.py::test_a_handler_counts_its_subjects_whichever_door_is_taken",
    )),
    48: Row("Dinur-Nissim", (
        "attacks/test_inference.py::test_least_squares_reconstructs_nobody", _ATTACKER,
        "audit/test_advantage.py::test_no_trick_gains_more_than_the_method_promises",
    )),
    49: Row("pseudo-random predicates"),
    50: Row("dummy conditions", (
        "attacks/test_budget.py::test_every_neutral_condition_is_charged_until_the_budget_ends",
    )),
    52: Row("budget race", (
        "attacks/test_budget.py::test_of_sixty_four_at_two_gateways_one_gets_the_last_of_a_budget",
        "nodes/test_ledger.py::test_two_hundred_ask_at_once_for_a_budget_of_ten",
    )),
    54: Row("data-dependent cost/refusal", (
        "attacks/test_engine.py::test_a_cost_is_known_before_data_and_the_same_for_all_data",
        _STOPPED,
    )),
    55: Row("cast error text", (
        "nodes_engine/test_failures.py::test_no_failure_quotes_data",
        "attacks/test_engine.py::"
        "test_a_run_that_fails_says_the_same_of_all_data_and_stays_charged",
    )),
    56: Row("error oracle", (
        "nodes_engine/test_failures.py::test_every_failure_is_the_same",
        "attacks/test_engine.py::"
        "test_a_run_that_fails_says_the_same_of_all_data_and_stays_charged",
    )),
    57: Row("error() / write_log", ("nodes_engine/test_failures.py::test_no_failure_quotes_data",)),
    58: Row("data as pattern", ("nodes_engine/test_failures.py::test_no_failure_quotes_data",)),
    60: Row("sleep", (_STOPPED,)),
    61: Row("costly branch", (
        _STOPPED,
        "attacks/test_engine.py::"
        "test_a_run_that_fails_says_the_same_of_all_data_and_stays_charged",
    )),
    63: Row("size/shape", (
        "attacks/test_inference.py::test_size_follows_the_noise_and_nothing_else",
    )),
    64: Row("metadata & plans"),
    65: Row("stacked statements"),
    66: Row("session state", (
        f"{_SANDBOX}test_a_run_sees_no_state_of_the_connection",
    )),
    67: Row("SQL in SQL", (f"{_SANDBOX}test_the_engine_refuses",)),
    68: Row("files", (
        f"{_SANDBOX}test_the_engine_refuses", f"{_SANDBOX}test_the_settings_alone_block",
    )),
    70: Row("DDL/config", (
        f"{_SANDBOX}test_the_engine_refuses", f"{_SANDBOX}test_every_setting_stands_as_meant",
    )),
    71: Row("replacement scan", (f"{_SANDBOX}test_a_python_variable_is_no_table",)),
    72: Row("memory/CPU bomb", (
        "nodes_engine/test_limits.py::test_no_bomb_takes_more_memory_than_allowed",
        "nodes_engine/test_limits.py::test_a_run_over_its_time_is_killed",
        "nodes_engine/test_limits.py::test_a_run_over_its_processor_time_fails",
    )),
    73: Row("parser differential", (
        "nodes/test_compile.py::test_compiled_cells_are_what_the_question_means",
        "attacks/test_random_statements.py::"
        "test_a_random_text_is_refused_or_answered_with_half_widths",
        "audit/test_random_texts.py::test_no_text_tells_the_worlds_apart",
        "audit/test_kinds_apart.py::test_no_kind_of_question_tells_the_worlds_apart",
    )),
    74: Row("hostile text", (
        "attacks/test_floods.py::test_hostile_text_is_one_clear_refusal",
        "attacks/test_statements.py::test_what_a_parser_would_choke_on_never_reaches_it",
    )),
    75: Row("shadowing"),
    76: Row("pseudonym dictionary", (
        _TRANSCRIPT + "test_the_gateway_gets_no_id_no_value_and_no_label",
        _TRANSCRIPT + "test_no_department_sees_anything_of_another",
    )),
    78: Row("PSI series", (
        _ATTACKER,
        _TRANSCRIPT + "test_the_number_of_rows_is_noisy_even_for_who_knows_the_common_dummies",
        "linked/test_rounds.py::test_one_id_is_one_draw_and_one_charge",
    )),
    79: Row("cross-purpose linking", (
        _TRANSCRIPT + "test_two_questions_pseudonyms_are_unrelated",
    )),
    80: Row("outer/anti join", (
        "joins/test_reading.py::test_every_other_join_is_refused_where_it_stands",
        "joins/test_federation.py::test_a_join_and_a_plain_question_spend_one_budget",
    )),
    81: Row("Byzantine node", (
        "gateway/test_questions.py::test_a_node_that_lies_spoils_the_answer_and_is_named",
        "gateway/test_questions.py::test_a_proof_of_another_entry_is_no_proof_of_this_answer",
        "gateway/test_questions.py::test_one_odd_department_stops_nobody_else",
    )),
    82: Row("wire capture", (
        _TRANSCRIPT + "test_what_gateway_and_owner_send_each_other_is_uniform",
        _TRANSCRIPT + "test_no_department_sees_anything_of_another",
    )),
    83: Row("handler bisection", (
        "attacks/test_handlers.py::test_a_threshold_is_the_owners_and_never_the_callers",
        "attacks/test_handlers.py::test_a_listed_threshold_cannot_be_halved",
        "policies/test_handler.py::test_only_the_subject_is_free",
        "attacks/test_handlers.py::"
        "test_subjects_run_out_for_an_organisation_and_not_for_a_caller",
    )),
    85: Row("alg attacks", (
        _IDENTITY,
        "identity/test_tokens.py::test_the_header_cannot_choose_the_algorithm",
        "identity/test_tokens.py::test_an_unsigned_token_is_refused",
        "identity/test_tokens.py::test_a_public_key_is_no_shared_secret",
    )),
    86: Row("header injection", (
        _IDENTITY,
        "identity/test_tokens.py::test_a_key_id_is_a_name_in_the_set_and_nothing_else",
        "identity/test_tokens.py::test_a_header_holds_nothing_else",
        "identity/test_tokens.py::test_a_key_that_the_token_brings_along_is_not_used",
    )),
    87: Row("time claims", (
        "identity/test_claims.py::test_a_time_is_a_finite_number_in_range",
        "identity/test_claims.py::test_a_token_ends_at_its_expiry_and_the_leeway",
        "identity/test_claims.py::test_a_token_from_the_future_is_refused",
    )),
    88: Row("token type/audience", (
        "identity/test_tokens.py::test_another_kind_of_token_is_no_access_token",
        "identity/test_claims.py::test_a_token_for_somebody_else_is_refused",
    )),
    89: Row("duplicate keys", (
        _IDENTITY,
        "identity/test_claims.py::test_a_claim_stands_once",
        "identity/test_tokens.py::test_a_header_member_stands_once",
    )),
    91: Row("double header", (
        "attacks/test_doors.py::test_a_token_travels_in_one_way_only",
        "identity/test_bearer.py::test_two_entries_or_a_binary_one_are_refused",
    )),
    92: Row("replay & theft", (
        "attacks/test_theft.py::"
        "test_a_token_is_worth_nothing_in_other_hands_also_after_a_restart",
        "nodes/test_ledger.py::test_an_id_belongs_to_one_question",
        "identity/test_memory.py::test_a_stolen_kid_is_not_covered_by_the_memory",
        "identity/test_binding.py::test_a_bound_token_passes_with_its_certificate_alone",
        "membership/test_statement.py::test_it_is_worth_something_for_the_leeway_only",
        "membership/test_revoked_certificates.py::"
        "test_an_open_connection_is_refused_at_its_next_request",
        "membership/test_renewal.py::test_the_tls_key_alone_is_renewed_nothing",
    )),
    93: Row("key rotation", (
        "identity/test_keys.py::test_a_removed_key_is_refused_at_once",
        "identity/test_keys.py::"
        "test_a_broken_file_leaves_the_last_good_keys_for_the_grace_and_no_longer",
        "identity/test_keys.py::test_a_huge_file_is_not_read_to_its_end",
        "identity/test_address.py::test_ten_thousand_unknown_keys_fetch_once_a_minute",
        "identity/test_address.py::test_what_is_no_answer_is_refused",
        "identity/test_address.py::test_a_slow_answer_has_an_end",
        "identity/test_second_opinion.py::"
        "test_tokens_of_another_implementation_pass_and_its_rotation_is_followed",
    )),
    94: Row("confused deputy", (
        _NODE,
        "attacks/test_doors.py::test_without_a_certificate_no_node_speaks",
        "identity/test_certificates.py::test_another_member_is_not_the_gateway",
    )),
    95: Row("policy edge", (
        "attacks/test_doors.py::test_one_forbid_outweighs_the_permit_at_either_end",
        "policies/test_access.py::test_a_forbid_outweighs_every_permit",
        "policies/test_access.py::test_a_forbid_that_fails_denies",
        "policies/test_access.py::test_without_a_permit_everything_is_denied",
        "policies/test_access.py::test_any_request_is_decided_by_the_written_rules_only",
        "policies/test_nyc_flights.py::"
        "test_2000_random_requests_are_decided_as_the_reference_decides",
    )),
    97: Row("purpose downgrade", (
        "attacks/test_doors.py::test_a_purpose_is_the_tokens_and_the_owners",
        "attacks/test_doors.py::test_a_clearance_is_the_tokens_own",
    )),
    98: Row("introspection", (
        "sql/test_flight.py::test_errors_carry_googles_details_and_nothing_of_the_machine",
        "sql/test_flight.py::test_nobody_unknown_gets_anything",
        "attacks/test_doors.py::test_what_is_not_served_tells_nothing",
        "attacks/test_doors.py::test_garbage_is_a_constant_sentence",
        "operating/test_watching.py::test_reflection_shows_the_protos_to_a_known_caller_only",
        "operating/test_watching.py::test_strangers_learn_no_version_path_or_table",
        "operating/test_reflection.py::test_a_stream_that_does_not_end_is_ended",
    )),
    99: Row("transport floods", (
        "attacks/test_floods.py::test_each_flood_ends_at_its_bound",
        "attacks/test_floods.py::test_no_deadline_is_not_forever",
        "attacks/test_floods.py::test_many_at_once_are_served_or_turned_away",
        "attacks/test_floods.py::test_half_open_connections_hold_nobody_up",
        "attacks/test_frames.py::test_a_flood_of_frames_hurts_nobody",
        "attacks/test_frames.py::test_bodies_that_trickle_hold_no_thread_that_others_need",
        "attacks/test_frames.py::test_nonsense_in_http2_ends_its_own_line_alone",
        "attacks/test_frames.py::test_what_is_no_tls_ends_its_own_line_alone",
        "edge/test_arrivals.py::"
        "test_whoever_waits_longest_goes_first_and_nobody_in_the_first_moment",
    )),
    100: Row("pool starvation", (
        "attacks/test_engine.py::test_a_slow_caller_does_not_starve_a_fast_one",
        "edge/test_seats.py::test_seats_are_kept_for_whoever_has_none",
        "edge/test_calls.py::test_a_thread_is_left_for_others_whatever_one_caller_sends",
    )),
    102: Row("log tampering", (
        "evidence/test_damage.py::test_every_changed_bit_of_a_small_folder_is_noticed",
        "evidence/test_damage.py::test_a_changed_entry_is_named_by_file_and_index",
        "evidence/test_damage.py::test_a_root_over_other_entries_is_noticed",
        "evidence/test_damage.py::test_an_older_checkpoint_put_back_never_shortens_the_log",
        "evidence/test_damage.py::test_yesterday_s_state_folder_is_refused",
        "evidence/test_oversight.py::test_a_backup_that_went_on_is_a_fork_and_found",
        "evidence/test_witness.py::test_of_two_histories_at_once_one_is_cosigned",
        "journeys/test_witness.py::"
        "test_a_gateway_on_yesterdays_backup_answers_nothing_and_says_why",
    )),
    104: Row("personal data in the log", (
        "attacks/test_traces.py::test_no_file_of_any_process_holds_a_literal_or_a_subject",
        "attacks/test_traces.py::test_no_process_shows_a_literal_in_its_words_or_environment",
        "attacks/test_traces.py::test_an_auditor_with_the_key_finds_the_subject",
        "operating/test_watching.py::test_no_literal_token_or_caller_is_in_any_trace_or_metric",
        "operating/test_watching.py::test_no_literal_token_or_caller_is_in_any_word",
    )),
}  # fmt: skip

WAITS: dict[int, str] = {}

_BY: dict[str, tuple[int, ...]] = {
    "closed algebra": (
        1, 6, 7, 11, 12, 13, 14, 17, 19, 20, 22, 29, 30, 31, 32, 35, 37, 49, 55, 56, 57, 58, 60, 61,
        64, 65, 66, 67, 70, 73, 74, 75,
    ),
    "noise and budget": (2, 3, 4, 15, 21, 24, 25, 27, 28, 36, 48, 50, 52, 78, 80),
    "one grid, one shape": (33, 34, 44, 54, 63),
    "canonical form and memory": (45,),
    "bounds before sums": (42,),
    "one ledger, one peer": (47,),
    "sandbox": (68, 71, 72),
    "keys of one question": (76, 79, 82),
    "proofs and domains": (81,),
    "declared values, quotas": (83,),
    "tokens read strictly": (85, 86, 87, 88, 89, 91, 92, 93, 94),
    "default deny": (95, 97),
    "nothing told": (98, 104),
    "limits below gRPC": (99,),
    "seats": (100,),
    "witnesses and proofs": (102,),
}  # fmt: skip
BY: dict[int, str] = {number: by for by, numbers in _BY.items() for number in numbers}
"""What stops an attack, in a word."""
