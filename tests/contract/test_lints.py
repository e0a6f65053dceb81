"""Our own lints catch what they are for, let pass what is right, and find nothing in the project as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from lints import agency_filters, commits, log_identity
from lints.__main__ import CHECKS, findings_in, main
from lints.finding import Source

CHECKOUT = Path(__file__).parents[2]
AREA = Path("src/referralnet/referrals/accepting.py")


def rules_found(text: str, path: Path = AREA) -> list[tuple[str, int]]:
    source = Source.parse(path, text)
    return sorted({(finding.rule, finding.line) for check in CHECKS for finding in check(source)})


def test_the_project_has_no_findings() -> None:
    assert findings_in(CHECKOUT / "src") == []


@pytest.mark.parametrize(
    "planted",
    [
        "await session.commit()",
        "await session.rollback()",
        "session.begin()",
        "connection.commit()  # lint: commit",
    ],
)
def test_an_area_that_ends_a_transaction_is_found(planted: str) -> None:
    assert rules_found(f"async def accept(session, connection):\n    {planted}\n") == [(commits.RULE, 2)]


@pytest.mark.parametrize(
    "fine",
    [
        "await session.flush()",
        "step = await session.begin_nested(); await step.rollback()",
        "async with session.begin_nested() as step: await step.rollback()",
        "connection.commit()  # lint: commit the operator's own connection, outside any request",
    ],
)
def test_flushing_and_savepoints_are_for_everybody(fine: str) -> None:
    assert rules_found(f"async def accept(session, connection):\n    {fine}\n") == []


def test_the_edge_may_commit() -> None:
    edge = Path("src/referralnet/database/transactions.py")
    assert rules_found("session.commit()\n", edge) == []
    assert rules_found("session.commit()\n", Path("src/referralnet/database/acting.py")) == [(commits.RULE, 1)]


@pytest.mark.parametrize(
    "planted",
    [
        "select(Referral).where(Referral.target_agency_id == actor.agency_id)",
        "select(Referral).where(actor.agency_id == Referral.source_agency_id)",
        "select(Referral).where(or_(Referral.id == x, Referral.agency_id != agency))",
        "select(Referral).filter_by(agency_id=agency)",
        "select(referral).where(referral.c.agency_id == agency)",
        "select(Referral).where(Referral.agency_id.in_(agencies))",
        "select(Referral).join(Agency, Agency.id == Referral.id and Agency.agency_id == agency)",
        "text('select id from referral where agency_id = :agency_id')",
        "text('select id from referral r where r.source_agency_id=$1')",
        "text('select id from referral where agency_id in (select id from agency)')",
        "text('select id from referral where :agency = agency_id')",
        "text('select id from referral where agency_id = (select acting_agency())')",
        "text('update organization set name = :name where agency_id = :agency')",
        "text(f'select id from referral where agency_id = {agency}')",
        "select(Referral).where(Referral.agency_id == agency)  # lint: agency-filter",
        "select(Referral).where(Referral.agency_id == agency)  # lint: commit another rule's reason",
    ],
)
def test_a_filter_by_agency_outside_its_place_is_found(planted: str) -> None:
    assert rules_found(f"def read(actor):\n    return {planted}\n") == [(agency_filters.RULE, 2)]


@pytest.mark.parametrize(
    "fine",
    [
        "actor.agency_id == row.source_agency_id",
        "select(Agency).join(Referral, Agency.agency_id == Referral.agency_id)",
        "select(Referral.agency_id).where(Referral.id == referral_id)",
        "text('select 1 from member m join agency a on m.agency_id = a.id')",
        "text('update organization set name = :name, agency_id = :agency where id = :id')",
        "text('insert into notice (id, agency_id) values (:id, :agency_id)')",
        "select(Link).where(Link.agency_id == agency)  # lint: agency-filter one chain, for the operator",
        "text('select 1 from link where agency_id = :id -- lint: agency-filter one chain, for the operator')",
    ],
)
def test_joins_decisions_and_explained_filters_pass(fine: str) -> None:
    assert rules_found(f"def read(actor):\n    return {fine}\n") == []


def test_a_docstring_may_speak_of_agencies() -> None:
    assert rules_found('def read():\n    """Rows where agency_id = yours."""\n') == []


def test_the_finding_points_into_a_long_statement() -> None:
    sql = 'x = text("""\n    select id\n    from referral\n    where agency_id = :agency\n""")\n'
    assert rules_found(sql) == [(agency_filters.RULE, 4)]
    assert rules_found("# lint: agency-filter the custodian's own queue\n" + sql) == []


@pytest.mark.parametrize("place", ["identity/access.py", "database/migrations/versions/0001_identity.py"])
def test_where_visibility_is_decided_agencies_may_be_compared(place: str) -> None:
    planted = "select(Referral).where(Referral.agency_id == agency)\n"
    assert rules_found(planted, Path("src/referralnet") / place) == []


@pytest.mark.rule("U3")
@pytest.mark.parametrize(
    "planted",
    [
        "log.info('accepted', phone=phone)",
        "log.info('accepted', to=survivor.given_name)",
        "log.info(f'accepted {referral_id}')",
        "log.info('accepted ' + referral_id)",
        "_log.bind(login=member.login).warning('odd')",
        "trail.error('refused', body=text_body)",
        "self.log.exception('failed', detail={'dob': row.date_of_birth})",
        "logging.getLogger(__name__).info('x', safety_note)",
    ],
)
def test_identity_in_a_log_call_is_found(planted: str) -> None:
    text = f"trail = structlog.get_logger()\ndef accept(self):\n    {planted}\n"
    assert rules_found(text) == [(log_identity.RULE, 3)]


@pytest.mark.parametrize(
    "fine",
    [
        "log.info('accepted', referral_id=referral_id, count=3)",
        "log.error('crashed', error=type(error).__name__)",
        "log.info('ran', job=job_name)",
        "log.info('ran', job=job.name)",
        "record.info(f'{survivor.given_name}')",
        "log.info('asked', login=login)  # lint: log-identity the operator's own, typed on this host",
    ],
)
def test_ids_codes_and_counts_may_be_logged(fine: str) -> None:
    assert rules_found(f"def accept():\n    {fine}\n") == []


def test_the_command_fails_on_a_finding_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "area.py").write_text("\nsession.commit()\n")
    assert main([str(tmp_path)]) == 1
    assert f"{tmp_path / 'area.py'}:2: commit:" in capsys.readouterr().out
    (tmp_path / "area.py").write_text("session.flush()\n")
    assert main([str(tmp_path)]) == 0
