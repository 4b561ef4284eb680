"""Settings from files and the environment: what is read, what overrides what, and how all faults are told at once."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from scim_bridge.settings import loading
from scim_bridge.settings.models import Settings, TargetSettings, TenantSettings
from scim_bridge.settings.problems import SettingsRefused

TARGET = """
[[tenants]]
id = "acme"
[[tenants.targets]]
name = "lms"
kind = "trakstar"
api_key = "env:KEY"
"""


def load(
    folder: Path, text: str, *, role: str = "all", environ: Mapping[str, str] | None = None, **files: str
) -> Settings:
    """Write a configuration and load it; `files` are further ones, __ for / in their names."""
    file = folder / "bridge.toml"
    file.write_text(text)
    for name, content in files.items():
        further = folder / f"{name.replace('__', '/')}.toml"
        further.parent.mkdir(exist_ok=True)
        further.write_text(content)
    return loading.load(file, role=role, environ={"KEY": "s3cret-value", **(environ or {})})


def problems(folder: Path, text: str, **more: object) -> list[str]:
    """Return what a configuration is refused for, without the folder's name."""
    with pytest.raises(SettingsRefused) as refused:
        load(folder, text, **more)  # type: ignore[arg-type]
    assert "s3cret-value" not in str(refused.value)
    assert refused.value.exit_code == 2
    return [str(problem).replace(f"{folder}/", "") for problem in refused.value.problems]


def only_target(settings: Settings) -> TargetSettings:
    return settings.tenants[0].targets[0]


def test_an_empty_file_is_a_whole_configuration(tmp_path: Path) -> None:
    settings = load(tmp_path, "")
    assert settings.web.bind == "127.0.0.1:8080"
    assert settings.queue.url == "embedded:"
    assert settings.tenants == []


def test_the_shipped_file_runs_as_it_is_and_says_the_defaults() -> None:
    from scim_bridge import shipped  # noqa: PLC0415 - only this test looks at it

    settings = loading.load(shipped.folder() / "bridge.toml", role="all", environ={})
    said = settings.model_copy(update={"data_dir": "var", "store": Settings().store})
    assert said == Settings(tenants=[TenantSettings(id="acme")])


def test_relative_paths_start_from_the_file(tmp_path: Path) -> None:
    settings = load(tmp_path, 'data_dir = "data"\n[store]\nurl = "sqlite:///data/x.db"')
    assert settings.data_dir == str(tmp_path / "data")
    assert settings.store.url == f"sqlite:///{tmp_path}/data/x.db"


def test_an_absolute_path_stays(tmp_path: Path) -> None:
    assert load(tmp_path, '[store]\nurl = "sqlite:////srv/x.db"').store.url == "sqlite:////srv/x.db"


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    environ = {"SCIM_BRIDGE__WEB__BIND": "127.0.0.1:1", "SCIM_BRIDGE__WORKER__PROCESSES": "7"}
    settings = load(tmp_path, '[web]\nbind = "127.0.0.1:2"\nthreads = 3', environ=environ)
    assert (settings.web.bind, settings.web.threads, settings.worker.processes) == ("127.0.0.1:1", 3, 7)


def test_names_in_the_environment_may_have_any_case(tmp_path: Path) -> None:
    assert load(tmp_path, "", environ={"scim_bridge__web__Threads": "5"}).web.threads == 5
    found = problems(tmp_path, "", environ={"scim_bridge__stoer__url": "x"})
    assert found == ["environment: scim_bridge__stoer__url: unknown key; did you mean SCIM_BRIDGE__STORE?"]


def test_a_file_of_tenants_is_read_beside_the_main_one(tmp_path: Path) -> None:
    settings = load(tmp_path, TARGET, tenants__b='id = "beta"', tenants__c='[[tenants]]\nid = "gamma"')
    assert [tenant.id for tenant in settings.tenants] == ["acme", "beta", "gamma"]


def test_the_file_is_the_one_that_the_environment_names(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("retention_days = 9")
    settings = loading.load(environ={"SCIM_BRIDGE_CONFIG": str(tmp_path / "other.toml")})
    assert settings.retention_days == 9


def test_the_file_is_the_one_in_config_when_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "bridge.toml").write_text("retention_days = 8")
    monkeypatch.chdir(tmp_path)
    assert loading.load(environ={}).retention_days == 8


def test_the_shipped_file_is_read_when_there_is_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert loading.load(environ={}).tenants == [TenantSettings(id="acme")]


def test_a_target_has_its_kinds_defaults(tmp_path: Path) -> None:
    target = only_target(load(tmp_path, TARGET))
    assert target.options["create_semantics"] == "add_only"
    assert target.match_by == ["email", "userName"]
    assert [(limit.requests, limit.per_s) for limit in target.limits] == [(10, 10)]
    assert target.fields["firstName"].max_length == 35
    assert target.secrets["api_key"].get_secret_value() == "s3cret-value"


def test_a_list_given_for_a_target_replaces_its_kinds(tmp_path: Path) -> None:
    text = TARGET + 'match_by = ["userName"]\n[[tenants.targets.limits]]\nrequests = 3\nper_s = 1\n'
    target = only_target(load(tmp_path, text))
    assert target.match_by == ["userName"]
    assert [limit.requests for limit in target.limits] == [3]


def test_a_table_given_for_a_target_is_laid_over_its_kinds(tmp_path: Path) -> None:
    text = TARGET + '[tenants.targets.mapping]\nlastName = "name.formatted"\nusername = ""\n'
    mapping = only_target(load(tmp_path, text)).mapping
    assert mapping["firstName"] == "name.givenName"
    assert mapping["lastName"] == "name.formatted"
    assert "username" not in mapping


def test_a_kinds_file_beside_the_configuration_lies_between(tmp_path: Path) -> None:
    beside = 'timeout_s = 3\nbulk_archive = "on"\n'
    target = only_target(load(tmp_path, TARGET + "timeout_s = 4\n", targets__trakstar=beside))
    assert (target.options["timeout_s"], target.options["bulk_archive"]) == (4, "on")
    assert target.options["bulk_groups"] == "off"


@pytest.mark.parametrize("role", ["web", "relay", "operator"])
def test_a_process_is_not_given_the_secrets_of_another_role(tmp_path: Path, role: str) -> None:
    target = only_target(load(tmp_path, TARGET, role=role, environ={"KEY": ""}))
    assert target.secrets == {}


TICKLE = """
[[tenants]]
id = "acme"
[[tenants.targets]]
name = "mt"
kind = "mindtickle"
scim_base_url = "https://scim.example.com/scim"
api_key = "env:KEY"
webhook_secret = "env:HOOK"
"""


@pytest.mark.parametrize(
    ("role", "given"),
    [
        ("web", {"webhook_secret"}),
        ("worker", {"api_key"}),
        ("relay", set()),
        ("operator", set()),
        ("all", {"api_key", "webhook_secret"}),
    ],
)
def test_what_webhooks_are_signed_with_is_the_front_doors(tmp_path: Path, role: str, given: set[str]) -> None:
    """Delivery names a quota by its credential, which a webhook's secret is no part of."""
    needed = {"web": "HOOK", "worker": "KEY"}.get(role)
    environ = {"KEY": "", "HOOK": "", **({needed: "s3cret-value"} if needed else {})}
    if role == "all":
        environ = {"KEY": "s3cret-value", "HOOK": "s3cret-value"}
    assert only_target(load(tmp_path, TICKLE, role=role, environ=environ)).secrets.keys() == given


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text("from-a-file\n")
    target = only_target(load(tmp_path, TARGET.replace("env:KEY", "file:key.txt")))
    assert target.secrets["api_key"].get_secret_value() == "from-a-file"


def test_an_address_may_be_referred_to_in_every_process(tmp_path: Path) -> None:
    text = TARGET + 'base_url = "env:ADDRESS"'
    for role in loading.Role:
        load(tmp_path, text, role=role, environ={"ADDRESS": "https://lms.example.com/api"})
    [problem] = problems(tmp_path, text, role="worker", environ={"ADDRESS": "http://lms.example.com/api"})
    assert problem == "bridge.toml: tenants[0].targets[0].base_url: must use https unless it is on this machine"


def test_a_password_in_the_queues_address_may_be_referred_to(tmp_path: Path) -> None:
    environ = {"QUEUE": "rediss://:s3cret-value@queue.example.com:6379/0"}
    settings = load(tmp_path, '[queue]\nurl = "env:QUEUE"', environ=environ)
    assert settings.queue.url == environ["QUEUE"]
    assert "s3cret-value" not in repr(settings)


def test_a_secret_may_stand_in_the_file_only_for_a_simulator(tmp_path: Path) -> None:
    literal = TARGET.replace("env:KEY", "s3cret-value")
    local = literal + 'base_url = "http://127.0.0.1:9/api/v3"\n'
    assert only_target(load(tmp_path, local)).secrets["api_key"].get_secret_value() == "s3cret-value"
    assert problems(tmp_path, literal) == [
        "bridge.toml: tenants[0].targets[0].api_key: is a secret: give it as env:NAME or file:PATH"
    ]


ONE_FAULT = [
    # Keys that nothing reads, with the one that was meant.
    ('[stor]\nurl = "x"', "stor: unknown key; did you mean store?"),
    ("[web]\nbnd = 1", "web.bnd: unknown key; did you mean bind?"),
    (TARGET + "basee_url = 'x'", "tenants[0].targets[0].basee_url: unknown key; did you mean base_url?"),
    (TARGET + "guard = {maxx = 1}", "tenants[0].targets[0].guard.maxx: unknown key; did you mean max?"),
    # Values of another type, or out of range.
    ("[worker]\nprocesses = 'many'", "worker.processes: must be a valid integer, unable to parse string as an integer"),
    (TARGET + "mode = 'dead'", "tenants[0].targets[0].mode: must be 'live' or 'dry-run'"),
    (TARGET + "timeout_s = 'x'", "tenants[0].targets[0].timeout_s: must be a number"),
    (TARGET + "concurrency = 0", "tenants[0].targets[0].concurrency: must be greater than or equal to 1"),
    (TARGET + "create_semantics = 'maybe'", "tenants[0].targets[0].create_semantics: must be one of add_only, upsert"),
    ("[web]\nworkers = 0", "web.workers: must be greater than or equal to 1"),
    ("[web]\nthreads = 0", "web.threads: must be greater than or equal to 1"),
    ("[web]\ntrusted_proxies = -1", "web.trusted_proxies: must be greater than or equal to 0"),
    ("[web]\ntrusted_proxies = 17", "web.trusted_proxies: must be less than or equal to 16"),
    (
        '[web]\ntrusted_proxies = "10.0.0.1"',
        "web.trusted_proxies: must be a valid integer, unable to parse string as an integer",
    ),
    ("[web]\nrequests_per_s = -1", "web.requests_per_s: must be greater than or equal to 0"),
    ("[web]\nrequests_per_s = 0.5", "web.requests_per_s: must be a valid integer, got a number with a fractional part"),
    ("[web]\nmax_body_bytes = 0", "web.max_body_bytes: must be greater than or equal to 1"),
    ("[web]\nmax_results = 0", "web.max_results: must be greater than or equal to 1"),
    ("[web]\nstatement_timeout_s = 0", "web.statement_timeout_s: must be greater than 0"),
    ("[web]\nstatement_timeout_s = inf", "web.statement_timeout_s: must be a finite number"),
    ("[store]\npool_size = 0", "store.pool_size: must be greater than or equal to 1"),
    ("[worker]\nprocesses = -1", "worker.processes: must be greater than or equal to 0"),
    ("store = 3", "store: must be a [store] table"),
    (TARGET + "guard.max = -1", "tenants[0].targets[0].guard.max: must be greater than or equal to 0"),
    (TARGET + "guard.share = 1.1", "tenants[0].targets[0].guard.share: must be less than or equal to 1"),
    (TARGET + "guard.share = nan", "tenants[0].targets[0].guard.share: must be a finite number"),
    (TARGET + "guard.window_s = 0", "tenants[0].targets[0].guard.window_s: must be greater than or equal to 1"),
    (
        TARGET + "guard.window_s = 2678401",
        "tenants[0].targets[0].guard.window_s: must be less than or equal to 2678400",
    ),
    (TARGET + "guard.min = -1", "tenants[0].targets[0].guard.min: must be greater than or equal to 0"),
    (TARGET + "guard = 3", "tenants[0].targets[0].guard: must be a table"),
    (TARGET + "mapping = 3", "tenants[0].targets[0].mapping: must be a table"),
    (TARGET + "timeout_s = 0", "tenants[0].targets[0].timeout_s: must be a number from 0.1 on"),
    (TARGET + "timeout_s = nan", "tenants[0].targets[0].timeout_s: must be a number from 0.1 on"),
    (TARGET + "timeout_s = true", "tenants[0].targets[0].timeout_s: must be a number"),
    (TARGET + "bulk_archive = true", "tenants[0].targets[0].bulk_archive: must be one of off, on"),
    (
        TARGET + "match_by = ['email', 'phone']",
        "tenants[0].targets[0].match_by[1]: must be 'externalId', 'email' or 'userName'",
    ),
    (
        TARGET + "[tenants.targets.fields.frstName]\nmax_length = 3",
        "tenants[0].targets[0].fields.frstName: is no field of [mapping]; did you mean firstName?",
    ),
    # What names refer to.
    (TARGET.replace("trakstar", "moodle"), "tenants[0].targets[0].kind: must be one of mindtickle, scim, trakstar"),
    (TARGET.replace("env:KEY", "env:NONE"), "tenants[0].targets[0].api_key: the environment variable NONE is not set"),
    (TARGET.replace("env:KEY", "file:none"), "tenants[0].targets[0].api_key: the file none does not exist"),
    (TARGET.replace("env:KEY", "env:"), "tenants[0].targets[0].api_key: names no environment variable"),
    (TARGET.replace("env:KEY", "file:"), "tenants[0].targets[0].api_key: names no file"),
    (TARGET.replace("env:KEY", "file:."), "tenants[0].targets[0].api_key: the file . is a folder"),
    (
        TARGET.replace('api_key = "env:KEY"', ""),
        "tenants[0].targets[0].api_key: is missing; a trakstar target needs it",
    ),
    # Addresses.
    (
        TARGET + "base_url = 'api.example.com'",
        "tenants[0].targets[0].base_url: must be an address like https://host/path",
    ),
    (
        TARGET + "base_url = 'http://api.example.com'",
        "tenants[0].targets[0].base_url: must use https unless it is on this machine",
    ),
    ('[web]\npublic_url = "bridge"', "web.public_url: must be an address like https://bridge.example.com"),
    (
        '[queue]\nurl = "redis://queue.example.com"',
        "queue.url: needs a password or TLS (rediss://) unless it is on this machine",
    ),
    ('[store]\nurl = "mysql://x"', "store.url: must be sqlite:///file or postgresql+psycopg://..."),
    ('[web]\nbind = "8080"', "web.bind: must be HOST:PORT, like 127.0.0.1:8080"),
    # Expressions.
    (
        TARGET + '[tenants.targets.mapping]\nfirstName = "name.("',
        "tenants[0].targets[0].mapping.firstName: cannot be read from character 6 on",
    ),
    (
        TARGET + "scope = 'nope eq 1'",
        "tenants[0].targets[0].scope: 'nope eq 1' is no SCIM filter over Users: Field not found: nope",
    ),
    (
        TARGET + '[tenants.targets.fields.email]\npattern = "("',
        "tenants[0].targets[0].fields.email.pattern: is no regular expression",
    ),
    # Names that are there twice, or cannot be one.
    ('[[tenants]]\nid = "a"\n[[tenants]]\nid = "a"', "tenants: the tenant a is there twice"),
    ('[[tenants]]\nid = "a/b"', "tenants[0].id: must be letters, digits, - or _"),
    (
        TARGET + '[[tenants.targets]]\nname = "lms"\nkind = "trakstar"\napi_key = "env:KEY"',
        "tenants[0].targets: lms is there twice",
    ),
    # Sources.
    (
        '[[tenants]]\nid = "a"\n[[tenants.sources]]\nname = "hr"\nkind = "bamboohr"',
        "tenants[0].sources[0].secret: is missing; without it nobody could tell who sends",
    ),
    (
        '[[tenants]]\nid = "a"\n[[tenants.sources]]\nname = "hr"\ntimezone = "Mars/North"',
        "tenants[0].sources[0].timezone: is no time zone like Europe/Berlin",
    ),
]


@pytest.mark.parametrize(("text", "problem"), ONE_FAULT)
def test_a_fault_is_told_with_file_and_key(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, text) == [f"bridge.toml: {problem}"]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    texts = ["[stor]\n", "[web]\nbnd = 1\n", TARGET + "mode = 'dead'\n"]
    found = problems(tmp_path, "".join(texts), tenants__b="id = 3", environ={"SCIM_BRIDGE__STORE__URL": "mysql://x"})
    assert found == [
        "bridge.toml: tenants[0].targets[0].mode: must be 'live' or 'dry-run'",
        "tenants/b.toml: id: must be a valid string",
        "bridge.toml: stor: unknown key; did you mean store?",
        "bridge.toml: web.bnd: unknown key; did you mean bind?",
        "environment: store.url: must be sqlite:///file or postgresql+psycopg://...",
    ]


def test_one_fault_of_a_target_hides_none_of_its_others(tmp_path: Path) -> None:
    text = TARGET.replace("env:KEY", "env:NONE").replace('"lms"', '"l/ms"') + (
        "mode = 'dead'\nscope = 'nope eq 1'\nbase_url = 'http://api.example.com'\n"
        "mapping = {firstName = 'name.(', lastName = 3}\n"
        "[tenants.targets.fields.email]\npattern = '('\n[tenants.targets.fields.username]\nmax_length = 'x'\n"
    )
    found = problems(tmp_path, text)
    assert {line.removeprefix("bridge.toml: tenants[0].targets[0].").partition(":")[0] for line in found} == {
        "api_key",
        "base_url",
        "mapping.firstName",
        "mapping.lastName",
        "mode",
        "fields.username.max_length",
        "scope",
        "fields.email.pattern",
        "name",
    }


def test_an_unknown_kind_hides_no_fault_that_every_kind_could_have(tmp_path: Path) -> None:
    found = problems(tmp_path, TARGET.replace("trakstar", "moodle") + "mode = 'dead'\nscope = 'nope eq 1'\n")
    assert [line.split(": ")[1].rpartition(".")[2] for line in found] == ["kind", "mode", "scope"]


def test_one_fault_of_a_section_hides_none_of_its_others(tmp_path: Path) -> None:
    found = problems(tmp_path, "[web]\nthreads = 0\nbind = '8080'\npublic_url = 'bridge'\n")
    assert [line.split(": ")[1] for line in found] == ["web.threads", "web.bind", "web.public_url"]


def test_a_tenant_that_is_there_twice_is_told_beside_files_that_are_bad(tmp_path: Path) -> None:
    twice = {"tenants__a": 'id = "twin"', "tenants__b": 'id = "twin"\nack = "never"', "tenants__c": "[bad"}
    found = problems(tmp_path, "[web]\nthreads = 0\n", **twice)
    assert [line.split(": ")[0] for line in found] == [
        "tenants/c.toml",
        "tenants/b.toml",
        "bridge.toml",
        "bridge.toml",
    ]
    assert found[2] == "bridge.toml: tenants: the tenant twin is there twice"


def test_a_section_in_the_environment_that_is_no_json_is_a_fault(tmp_path: Path) -> None:
    found = problems(tmp_path, "data_dir = 3", environ={"SCIM_BRIDGE__WEB": "{bad"})
    assert found == [
        "environment: a table in one variable, like SCIM_BRIDGE__WEB, must be JSON",
        "bridge.toml: data_dir: must be a valid string",
    ]


def test_a_folder_and_a_file_of_other_text_say_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'a = "\xe9"')
    for name, reason in ((".", "is a folder"), ("latin.toml", "is not UTF-8 text")):
        with pytest.raises(SettingsRefused, match=reason):
            loading.load(tmp_path / name, environ={})


def test_an_unknown_variable_of_ours_is_a_fault(tmp_path: Path) -> None:
    found = problems(tmp_path, "", environ={"SCIM_BRIDGE__STOER__URL": "x"})
    assert found == ["environment: SCIM_BRIDGE__STOER__URL: unknown key; did you mean SCIM_BRIDGE__STORE?"]


@pytest.mark.parametrize("content", ["[store", 'a = "\udcff"'.encode("utf-8", "surrogateescape")])
def test_what_is_no_toml_is_a_fault_of_the_file(tmp_path: Path, content: str | bytes) -> None:
    file = tmp_path / "bridge.toml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SettingsRefused) as refused:
        loading.load(file, environ={})
    assert len(refused.value.problems) == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="does not exist"):
        loading.load(tmp_path / "none.toml", environ={})


def test_an_unknown_key_of_a_kinds_file_is_a_fault_of_that_file(tmp_path: Path) -> None:
    found = problems(tmp_path, TARGET, targets__trakstar="timeot_s = 3")
    assert found == ["targets/trakstar.toml: timeot_s: unknown key; did you mean timeout_s?"]
