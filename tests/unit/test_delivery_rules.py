"""Which tests carry which rule of delivery. A test that is renamed must be renamed here."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]

RULES: dict[str, tuple[str, ...]] = {
    "lane: one worker at a time, under a lease with an epoch; a late answer is read back": (
        "integration/test_delivery.py::test_the_people_of_a_dead_workers_call_are_read_back_after_its_deadline",
        "integration/test_delivery.py::test_an_answer_that_comes_after_the_lease_was_lost_owes_a_read_back",
        "chaos/test_rounds.py::test_a_worker_that_stood_still_brings_nobody_back_who_was_deactivated_meanwhile",
    ),
    "wake: a job with names and nothing else, leavers' queue first, and nothing rests on it": (
        "integration/test_queue.py::test_a_wake_is_a_job_with_names_and_nothing_else",
        "integration/test_queue.py::test_wakes_of_one_lane_are_thinned_until_its_job_begins",
        "integration/test_queue.py::test_every_queue_is_served_leavers_first",
        "integration/test_queue.py::test_a_function_that_is_not_ours_is_refused_whoever_queued_it",
        "integration/test_queue.py::test_a_worker_outlives_the_death_and_the_flush_of_the_queue",
        "chaos/test_kills.py::test_no_kill_loses_or_doubles_anybody",
    ),
    "one round: the fewest calls, leavers first, a long backlog evenly": (
        "integration/test_delivery.py::test_a_backlog_is_created_in_full_batches",
        "integration/test_delivery.py::test_an_update_learns_the_id_by_one_look_up_for_all",
        "integration/test_delivery.py::test_a_leaver_goes_before_everybody_who_waits",
        "integration/test_delivery.py::test_a_leaver_who_comes_while_calls_are_planned_goes_before_them",
        "integration/test_pacing.py::test_the_calls_of_a_long_backlog_go_evenly",
        "integration/test_pacing.py::test_a_leaver_who_overtakes_is_not_kept_waiting_by_the_planning_of_others",
    ),
    "quota: counted in the store by credential, from the answer on, each request": (
        "integration/test_delivery.py::test_the_limit_is_never_passed_and_the_rest_waits_its_turn",
        "integration/test_further_failures.py::test_lanes_that_share_a_credential_share_its_count",
        "integration/test_further_failures.py::test_the_next_window_begins_a_margin_after_the_answer",
        "integration/test_delivery.py::test_patience_that_the_target_asks_for_is_kept",
    ),
    "whole-call failures: they burn nobody's attempts; breaker, quarantine, pause": (
        "integration/test_delivery.py::test_an_unreachable_target_burns_nobodys_attempts",
        "integration/test_delivery.py::test_five_failures_in_a_row_open_the_breaker_and_one_probe_closes_it",
        "integration/test_delivery.py::test_a_refused_credential_quarantines_the_lane_which_recovers_by_itself",
        "integration/test_pausing.py::test_pause_sends_nothing_while_all_that_is_owed_waits",
        "integration/test_pausing.py::test_pause_outlasts_a_quarantine",
    ),
    "what happened to one user is a value": (
        "integration/test_delivery.py::test_a_refused_person_dies_alone",
        "integration/test_delivery.py::test_one_poison_person_costs_at_most_seventeen_calls_more",
        "integration/test_delivery.py::test_a_mapping_problem_is_dead_at_once_and_names_the_field",
        "integration/test_delivery.py::test_half_applied_is_read_back_and_only_the_rest_is_sent",
        "integration/test_persistence.py::test_a_target_that_never_accounts_for_a_create_is_asked_less_and_less",
    ),
    "conflict: update, skip or hold; one owner; protected accounts": (
        "integration/test_delivery.py::test_a_conflict_is_settled_by_policy",
        "integration/test_delivery.py::test_a_conflict_with_nobody_to_be_found_is_dead_without_a_loop",
        "integration/test_delivery.py::test_an_owner_or_administrator_is_held_never_adopted",
        "integration/test_delivery.py::test_an_account_has_one_owner",
        "integration/test_delivery.py::test_a_re_created_person_takes_over_the_account_of_the_deleted_one",
        "integration/test_delivery.py::test_an_account_that_vanished_is_made_again",
    ),
    "leaving: DELETE and leaving the scope deactivate; nothing without a look-up": (
        "integration/test_delivery.py::test_a_deleted_user_is_deactivated",
        "integration/test_delivery.py::test_a_leaver_who_was_never_there_is_looked_up_before_anything_is_said",
        "integration/test_delivery.py::test_who_leaves_the_scope_is_deactivated_and_who_was_never_in_it_is_not_made",
        "integration/test_delivery.py::test_who_leaves_the_scope_stays_where_the_configuration_says_keep",
        "integration/test_sequences.py::test_who_fell_out_of_scope_before_the_target_heard_of_them_is_looked_up_once",
    ),
    "groups: membership belongs to the user; a group is made once": (
        "integration/test_delivery.py::test_groups_are_listed_then_made_once_then_filled",
        "integration/test_delivery.py::test_people_who_are_created_with_their_groups_need_no_second_call",
        "integration/test_sequences.py::test_a_group_whose_making_is_out_is_not_made_a_second_time",
        "integration/test_further_failures.py::test_a_membership_waits_for_the_user_whose_create_failed",
        "integration/test_sequences.py::test_members_of_a_renamed_group_move_to_the_new_name",
    ),
    "guard: past the threshold deactivations wait for a person": (
        "integration/test_guard.py::test_guard_lets_exactly_the_threshold_through",
        "integration/test_guard.py::test_guard_holds_up_nobody_else",
        "integration/test_guard.py::test_guard_counts_every_way_of_leaving_alike",
        "integration/test_guard.py::test_guard_lets_other_attributes_flow_while_held",
        "integration/test_guard.py::test_guard_releases_who_was_deleted_meanwhile_before_everybody_who_waits",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_the_tests_of_a_rule_exist(rule: str) -> None:
    for name in RULES[rule]:
        file, _, test = name.partition("::")
        assert test in _tests_of(TESTS / file), name


def _tests_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
