"""Which test carries which of the ways in which provisioning fails. A test that is renamed must be renamed here."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]

MODES: dict[int, tuple[str, tuple[str, ...]]] = {
    1: (
        "applied, but the answer is lost: the second time the duplicates are successes",
        (
            "integration/test_delivery.py::test_a_lost_answer_after_the_call_was_applied_makes_nobody_twice",
            "contract/test_targets.py::test_a_lost_answer_is_told_apart_from_a_refusal_and_found_by_a_look_up",
            "contract/test_http.py::test_whatever_happens_after_sending_is_a_lost_answer_within_the_deadline",
        ),
    ),
    2: (
        "half a batch is applied, then comes a 500 or a reset",
        (
            "integration/test_delivery.py::test_half_applied_is_read_back_and_only_the_rest_is_sent",
            "contract/test_trakstar_target.py::test_half_a_call_that_was_applied_is_a_lost_answer",
        ),
    ),
    3: (
        "one poison user spoils the call of two hundred",
        (
            "integration/test_delivery.py::test_one_poison_person_costs_at_most_seventeen_calls_more",
            "unit/policy/test_isolation.py::test_one_bad_user_among_two_hundred_is_alone_after_eight_refusals",
            "contract/test_trakstar_target.py::test_a_user_who_breaks_the_schema_spoils_the_call_and_is_refused_alone",
        ),
    ),
    4: (
        "errors that name nobody, or a count that disagrees",
        (
            "unit/targets/test_trakstar_adding.py::test_each_row_is_accounted_for_or_doubted",
            (
                "unit/targets/test_trakstar_adding.py::"
                "test_whatever_a_faithful_target_says_no_row_is_called_done_that_failed"
            ),
        ),
    ),
    5: (
        "a 200 with HTML, an empty or cut-off body",
        (
            "contract/test_trakstar_target.py::test_an_unreadable_answer_to_new_users_is_lost",
            "contract/test_trakstar_target.py::test_an_unreadable_listing_is_lost_and_not_empty",
            "contract/test_mindtickle_target.py::test_an_unreadable_answer_is_lost",
        ),
    ),
    6: (
        "429 in every form; several workers share one key",
        (
            "unit/policy/test_patience.py::test_the_wait_is_read_in_every_form",
            "integration/test_delivery.py::test_patience_that_the_target_asks_for_is_kept",
            "integration/test_further_failures.py::test_lanes_that_share_a_credential_share_its_count",
        ),
    ),
    7: (
        "a limiter that paces exactly at the limit is refused through jitter",
        (
            "integration/test_further_failures.py::test_the_next_window_begins_a_margin_after_the_answer",
            "integration/test_delivery.py::test_the_limit_is_never_passed_and_the_rest_waits_its_turn",
        ),
    ),
    8: (
        "a dead key stops the lane, keeps the queue and burns no attempts; a 401 about one user does not",
        (
            "integration/test_delivery.py::test_a_refused_credential_quarantines_the_lane_which_recovers_by_itself",
            "contract/test_trakstar_target.py::test_a_dead_key_stops_the_target",
            "contract/test_trakstar_target.py::test_login_links_are_never_asked_for",
        ),
    ),
    9: (
        "a stale company id fails all, then is corrected",
        (
            "contract/test_mindtickle_target.py::test_a_stale_company_id_stops_the_target_and_fails_nobody",
            "integration/test_delivery.py::test_a_refused_credential_quarantines_the_lane_which_recovers_by_itself",
        ),
    ),
    10: (
        "the order of one user's events; an old one after a newer one; a rehire",
        (
            "integration/test_sequences.py::test_a_leaver_who_changes_during_the_look_up_is_still_a_leaver",
            "integration/test_sequences.py::test_who_returns_while_the_deactivation_is_in_doubt_ends_active",
            "integration/test_operators.py::test_a_dead_operation_yields_to_a_newer_one_that_waits",
            "model/test_any_history.py::test_any_history_ends_with_targets_and_books_in_order",
        ),
    ),
    11: (
        "a rename between create and update",
        (
            "integration/test_sequences.py::test_who_is_renamed_before_the_id_is_known_keeps_the_one_account",
            (
                "integration/test_sequences.py::"
                "test_a_chain_of_renames_before_the_ids_are_known_ends_with_everybody_in_place"
            ),
        ),
    ),
    12: (
        "a conflict whose user cannot be found",
        ("integration/test_delivery.py::test_a_conflict_with_nobody_to_be_found_is_dead_without_a_loop",),
    ),
    13: (
        "a look-up after a create finds nothing for a while",
        (
            "integration/test_sequences.py::test_a_create_whose_answer_is_lost_is_not_repeated_while_the_listing_lags",
            "integration/test_sequences.py::test_a_leaver_whom_the_listing_does_not_show_yet_is_closed_when_it_does",
        ),
    ),
    14: (
        "a group made twice; the membership of a user whose create failed",
        (
            "integration/test_sequences.py::test_a_group_whose_making_is_out_is_not_made_a_second_time",
            "integration/test_further_failures.py::test_a_membership_waits_for_the_user_whose_create_failed",
        ),
    ),
    15: (
        "bulk: other order, missing entries, lowered limits, payload limit, no bulk at all",
        (
            "unit/targets/test_scim_bulk.py::test_answers_are_matched_by_bulk_id_in_any_order",
            "unit/targets/test_scim_bulk.py::test_who_has_no_clear_entry_is_unknown_and_the_others_are_not",
            "contract/test_mindtickle_target.py::test_a_limit_that_was_lowered_is_asked_for_again",
            "contract/test_mindtickle_target.py::test_a_request_above_the_payload_limit_is_not_sent",
            "contract/test_mindtickle_target.py::test_a_bulk_call_that_is_not_there_is_planned_again_as_single_calls",
        ),
    ),
    16: (
        "a worker is killed between the target's apply and its own commit; the queue is lost; a replay twice at once",
        (
            "integration/test_delivery.py::test_the_people_of_a_dead_workers_call_are_read_back_after_its_deadline",
            "integration/test_delivery.py::test_an_answer_that_comes_after_the_lease_was_lost_owes_a_read_back",
            "chaos/test_kills.py::test_no_kill_loses_or_doubles_anybody",
            "chaos/test_rounds.py::test_a_worker_that_stood_still_brings_nobody_back_who_was_deactivated_meanwhile",
            "integration/test_queue.py::test_a_worker_outlives_the_death_and_the_flush_of_the_queue",
            "integration/test_operators.py::test_a_replay_run_twice_changes_nothing_the_second_time",
        ),
    ),
    17: (
        "slow drips and hung connections; the other target does not suffer",
        (
            "contract/test_trakstar_target.py::test_a_hung_call_ends_at_its_deadline",
            "contract/test_http.py::test_whatever_happens_after_sending_is_a_lost_answer_within_the_deadline",
            "acceptance/test_tenants_together.py::test_a_target_that_fails_in_every_way_loses_nobody_and_holds_nobody_else_up",
        ),
    ),
    18: (
        "long names and addresses, empty names, a plus in a query, letters beyond ASCII",
        (
            "unit/mapping/test_records.py::test_a_value_of_exactly_the_length_is_fine",
            "unit/mapping/test_records.py::test_a_value_is_shortened_where_the_rule_says_so",
            "unit/mapping/test_records.py::test_a_broken_rule_is_a_problem_of_its_field",
            "unit/targets/test_scim_mapping.py::test_a_filter_quotes_what_it_holds",
            "chaos/test_kills.py::test_no_kill_loses_or_doubles_anybody",
        ),
    ),
    19: (
        "the breaker opens on five failures of infrastructure, not on five bad users, and closes by one probe",
        (
            "integration/test_delivery.py::test_five_failures_in_a_row_open_the_breaker_and_one_probe_closes_it",
            "integration/test_further_failures.py::test_many_bad_users_do_not_open_the_breaker",
        ),
    ),
    20: (
        "webhooks in both schemes: raw body, stale, replayed, tampered, short; echoes of our own changes",
        (
            "unit/intake/test_webhook_signatures.py::test_a_signature_is_the_one_that_the_vendors_sample_makes",
            "unit/intake/test_webhook_signatures.py::test_a_signature_covers_every_byte_of_the_body",
            "unit/intake/test_webhook_signatures.py::test_a_signature_of_any_length_or_letters_is_refused_alike",
            "unit/intake/test_webhook_signatures.py::test_a_signature_is_good_for_five_minutes_either_way",
            "integration/test_webhook_read_back.py::test_many_events_of_one_person_are_one_read_back",
            "integration/test_webhook_read_back.py::test_echoes_of_what_we_did_cost_no_call",
            "integration/test_webhook_read_back.py::test_the_echo_of_a_repair_ends_there",
        ),
    ),
    21: (
        "no secrets and no personal data in logs, failed jobs and error texts",
        (
            "unit/test_logs.py::test_a_field_that_may_hold_a_person_or_a_secret_is_dropped",
            "unit/test_logs.py::test_what_a_foreign_exception_says_is_left_out",
            "integration/test_queue.py::test_a_job_that_fails_tells_where_and_nothing_of_anybody",
            "contract/test_http.py::test_no_error_or_log_tells_header_query_or_body",
            "contract/test_targets.py::test_a_refusal_of_a_real_target_names_nobody",
        ),
    ),
}


def test_every_mode_is_in_the_table() -> None:
    assert MODES.keys() == set(range(1, 22))


@pytest.mark.parametrize("number", MODES)
def test_the_tests_of_a_mode_exist(number: int) -> None:
    told, names = MODES[number]
    assert told
    for name in names:
        file, _, test = name.partition("::")
        assert test in _tests_of(TESTS / file), name


def _tests_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
