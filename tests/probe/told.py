"""Which column, field, argument and statement tells which thing of the oracle; a new one, what its table or type does.

A type of the schema that does not stand here fails the probe, because nobody has said yet what it tells.
"""

from __future__ import annotations

from tests.probe.oracle import Thing

# SQL. A row tells what its first id was registered for (world.py); these columns tell something else.
COLUMNS = {
    "public.referral.source_agency_id": Thing.SOURCE,
    "public.referral_event.by_agency_id": Thing.SOURCE,
    "public.appointment.mode": Thing.VISIT_HELD,
    "public.appointment.duration_minutes": Thing.VISIT_HELD,
    "public.appointment.call_by": Thing.VISIT_HELD,
    "public.appointment.interpreter_language": Thing.VISIT_HELD,
    "public.appointment.interpreter_arranged": Thing.VISIT_HELD,
    "public.appointment.travel": Thing.VISIT_HELD,
    "public.appointment.travel_arranged": Thing.VISIT_HELD,
    "public.disclosure.release_id": Thing.COPY,
    "public.survivor_block.blocked_member_id": Thing.BLOCK,
    # Which of those who may sign for her did; who that is, is told to nobody by the id.
    "public.survivor_release.signer_id": Thing.RELEASE,
    "public.text_message.to_sealed": Thing.WORDS,
    "public.text_message.body_sealed": Thing.WORDS,
}
# What a row is found by, where it has no id of its own.
FOUND_BY = {
    "public.survivor_release": ("release_id",),
    "public.survivor_referral": ("referral_id",),
    "public.disclosure_item": ("disclosure_id", "category"),
    "public.idempotency_key": ("key",),
}
# Rows that name the ids of other rows by their nature: the agency's own trail, a member's own requests.
NAME_OTHERS = {"public.audit_event", "public.audit_link", "public.idempotency_key"}
# Where SQL typed as the application's role learns more than the rules give, and the decision that says why it stays.
LIMITS = {
    "public.referral.source_agency_id": "0066",
    "public.referral_event.by_agency_id": "0066",
    "public.referral_event.by_member_id": "0097",
    "public.appointment.mode": "0097",
    "public.appointment.duration_minutes": "0097",
    "public.appointment.call_by": "0097",
    "public.appointment.interpreter_language": "0097",
    "public.appointment.interpreter_arranged": "0097",
    "public.appointment.travel": "0097",
    "public.appointment.travel_arranged": "0097",
}

# GraphQL. What each type tells; None where it is of no case.
TYPES: dict[str, Thing | None] = {
    "Referral": Thing.REFERRAL,
    "ReferralNeed": Thing.REFERRAL,
    "ReferralEvent": Thing.REFERRAL,
    "Appointment": Thing.VISIT,
    "Interpreter": Thing.VISIT_HELD,
    "Travel": Thing.VISIT_HELD,
    "Survivor": Thing.RECORD,
    "SurvivorIdentity": Thing.IDENTITY,
    "SurvivorAlias": Thing.IDENTITY,
    "SurvivorPhone": Thing.IDENTITY,
    "SurvivorNote": Thing.IDENTITY,
    "SurvivorSigner": Thing.IDENTITY,
    "AbuserMark": Thing.IDENTITY,
    "SurvivorHistory": Thing.IDENTITY,
    "SurvivorFormerValue": Thing.IDENTITY,
    "SurvivorMatch": Thing.RECORD,
    "Release": Thing.RELEASE,
    "ReleaseSignature": Thing.IDENTITY,
    "Handoff": Thing.RECORD,
    "SurvivorBlock": Thing.BLOCK,
    "SurvivorNeed": Thing.RECORD,
    "TwoPersonAct": Thing.RECORD,
    "ToldUnderMandate": Thing.IDENTITY,
    "AccountingLine": Thing.IDENTITY,
    "ContactPlanHistory": Thing.IDENTITY,
    "ContactPlanVersion": Thing.IDENTITY,
    "HandoffCall": Thing.RECORD,
    "HandoffConfirmation": Thing.REFERRAL,
    "ReferralNote": Thing.NOTE,
    "RoutingPlan": Thing.RECORD,
    "RoutingChoice": Thing.RECORD,
    "Disclosure": Thing.COPY,
    "UpdateToShare": Thing.RECORD,
    "DisclosedCategory": Thing.OPENED,
    "DisclosedFact": Thing.OPENED,
    "Text": Thing.TEXTS,
    "Delivery": Thing.TEXTS,
    "TextPreview": None,
    "LabelCheck": None,
    "LabelFault": None,
    "Task": None,  # its id says whose it is
    "AccountingConnection": None,
    "AccountingEdge": None,
    "WorklistTask": None,  # as a task
    "WorklistConnection": None,
    "WorklistEdge": None,
    "WorklistCounts": None,  # compared with the list
    "ReferralConnection": None,
    "ReferralEdge": None,
    "PageInfo": None,
    "Me": None,
    "Agency": None,
    "Capacity": None,
    "Duplicate": None,
    "Facet": None,
    "FacetCount": None,
    "Listing": None,
    "ListingChangeEvent": None,
    "ListingUnit": None,
    "Match": None,
    "MatchConnection": None,
    "MatchEdge": None,
    "MatchedTerm": None,
    "MatchedUnits": None,
    "OpenHours": None,
    "OwnListing": None,
    "OwnPart": None,
    "PublicAddress": None,
    "SearchFacets": None,
    "ServiceAtLocation": None,
    "ServiceAtLocationConnection": None,
    "ServiceAtLocationEdge": None,
    "SuggestedName": None,
    "UnitCount": None,
    "AgencyMember": None,  # a name is a canary of its own
    "Invitation": None,
    "FirstAdmin": None,
    "NetworkAgency": None,
    "DirectoryRequest": None,
    "DirectoryImport": None,
    "ImportProblem": None,
    "Measures": None,  # counts of which small ones are left out: of nobody
    "MeasuredCount": None,
    "MeasuredLine": None,
    "MeasuredTable": None,
    "MeasuredWait": None,
    "SurvivorWords": Thing.IDENTITY,
    "TextPolicy": None,
    "AnswerDeadlines": None,
    "TrailEvent": None,  # its id says whose it is
    "TrailPage": None,
    "TrailState": None,
    "Webhook": None,
    "WebhookDelivery": None,  # its id says whose it is
    "WebhookSecret": None,
}
FIELDS = {
    "Referral.sourceAgencyName": Thing.SOURCE,
    "ReferralEvent.byAgencyName": Thing.SOURCE,
    "ReferralEvent.byMemberName": None,  # a name is a canary of its own
    "Appointment.mode": Thing.VISIT_HELD,
    "Appointment.durationMinutes": Thing.VISIT_HELD,
    "Appointment.callBy": Thing.VISIT_HELD,
    "Appointment.interpreter": Thing.VISIT_HELD,
    "Appointment.travel": Thing.VISIT_HELD,
}
# Questions that name somebody at another agency by their nature: whom she has blocked, her custodian knows.
NAME_STAFF = {"survivorBlocks"}
# Questions that name what acts were about: the ids of the acts themselves say whose they are (U3).
NAME_CASES = {"trail", "trailState"}
# What each question about one thing tells that there is, and by which id of a case it asks.
LOOKUPS = {
    "referral": ("referral", Thing.REFERRAL),
    "survivorIdentity": ("survivor", Thing.IDENTITY),
    "survivorHistory": ("survivor", Thing.IDENTITY),
    "survivorDuplicates": ("survivor", Thing.RECORD),
    "releases": ("survivor", Thing.RELEASE),
    "releaseSignature": ("release", Thing.IDENTITY),
    "handoffs": ("survivor", Thing.RECORD),
    "disclosure": ("referral", Thing.OPENED),
    "updateToShare": ("referral", Thing.RECORD),
    "texts": ("referral", Thing.TEXTS),
    "textsToSurvivor": ("survivor", Thing.RECORD),  # of any of her referrals
    "matchNeed": ("need", Thing.RECORD),
    "routingPlan": ("routing", Thing.RECORD),
    "routingPlans": ("survivor", Thing.RECORD),
    "survivorBlocks": ("survivor", Thing.BLOCK),
    "needs": ("survivor", Thing.RECORD),
    "twoPersonActs": ("survivor", Thing.RECORD),
    "toldUnderMandates": ("survivor", Thing.IDENTITY),
    "accounting": ("survivor", Thing.IDENTITY),
    "contactPlans": ("survivor", Thing.IDENTITY),
    "survivorWords": ("survivor", Thing.IDENTITY),
    "referralNotes": ("referral", Thing.NOTE),
}
# What each list of the acting agency's own lists: which id of a case, and on which side.
LISTS = {
    "inbox": {"referral": "target"},
    "sentReferrals": {"referral": "source"},
    "survivors": {"survivor": "source"},
    "worklist": {"task_of_source": "source", "task_of_target": "target"},
}
# The argument or input field that names a row, the id of a case that it takes, and what that id tells.
ARGUMENTS = {
    "survivorId": ("survivor", Thing.RECORD),
    "aliasId": ("alias", Thing.PARTICULARS),
    "phoneId": ("phone", Thing.PARTICULARS),
    "signerId": ("signer", Thing.PARTICULARS),
    "markId": ("mark", Thing.PARTICULARS),
    "planId": ("routing", Thing.RECORD),
    "choiceId": ("choice", Thing.RECORD),
    "needId": ("need", Thing.RECORD),
    "releaseId": ("release", Thing.RELEASE),
    "declinedReleaseId": ("release", Thing.RELEASE),
    "referralId": ("referral", Thing.REFERRAL),
    "taskId": ("task_of_source", Thing.SOURCE_WORK),
}
# Statements by which SQL might feel for a row of others: each must say the same of one that is not there.
ATTEMPTS = {
    "hang a need on her": (
        "survivor",
        Thing.RECORD,
        """insert into need (id, agency_id, survivor_id, service_type, urgency, region, language, household_size,
             age_band, immigration_sensitive, created_at)
           values (gen_random_uuid(), acting_agency(), $1, 'x', 'urgent', 'x', 'es', 1, '25_59', false, now())""",
    ),
    "seal under her key": (
        "survivor_key",
        Thing.RECORD,
        """insert into survivor (id, agency_id, data_key_id, given_name_sealed, family_name_sealed, created_by,
             created_at)
           values (gen_random_uuid(), acting_agency(), $1, '', '', acting_member(), now())""",
    ),
    "release under a release's key": (
        "release_key",
        Thing.COPY,
        """insert into release (id, agency_id, recipient_agency_id, data_key_id, purpose, categories, status, starts_at,
             expires_at, created_at)
           select gen_random_uuid(), acting_agency(), agency.id, $1, 'shelter', '{needs}', 'active', now(),
             now() + interval '1 day', now() from agency where id <> acting_agency() order by id limit 1""",
    ),
    "mark who signs for her": (
        "signer",
        Thing.PARTICULARS,
        """insert into survivor_signer_mark (id, agency_id, survivor_id, signer_id, abuser_of, marked_by, marked_at)
           values (gen_random_uuid(), acting_agency(), gen_random_uuid(), $1, 'survivor', acting_member(), now())""",
    ),
    "sign a release": (
        "release",
        Thing.RELEASE,
        """insert into survivor_release (release_id, agency_id, survivor_id, proposal_id, form_version, form_language,
             form_hash, recorded_by)
           values ($1, acting_agency(), gen_random_uuid(), gen_random_uuid(), '1', 'es',
             decode(repeat('00', 32), 'hex'), acting_member())""",
    ),
    "link a referral": (
        "referral",
        Thing.REFERRAL,
        """insert into survivor_referral (referral_id, agency_id, survivor_id, need_id, release_id, coordinator_id)
           values ($1, acting_agency(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), acting_member())""",
    ),
    "book a visit": (
        "referral",
        Thing.REFERRAL,
        """insert into appointment (id, referral_id, source_agency_id, target_agency_id, starts_at, time_zone,
             duration_minutes, mode, status, created_at)
           select gen_random_uuid(), $1, agency.id, acting_agency(), now(), 'UTC', 30, 'phone', 'booked', now()
           from agency where id <> acting_agency() order by id limit 1""",
    ),
    "tell of a referral": (
        "referral",
        Thing.REFERRAL,
        """insert into notice (id, agency_id, referral_id, kind, occurrence, created_at)
           values (gen_random_uuid(), acting_agency(), $1, 'appointment_set', jsonb_build_object('appointment_id',
             gen_random_uuid(), 'starts_at', now(), 'time_zone', 'UTC'), now())""",
    ),
    "put a referral on a worklist": (
        "referral",
        Thing.REFERRAL,
        """insert into task (id, agency_id, kind, subject_kind, subject_id, opened_at)
           select gen_random_uuid(), agency.id, 'answer_referral', 'referral', $1, now()
           from agency where id <> acting_agency() order by id limit 1""",
    ),
    "add to a disclosure": (
        "disclosure",
        Thing.COPY,
        "insert into disclosure_item (disclosure_id, category, sealed) values ($1, 'legal', '')",
    ),
    "end a release": ("release", Thing.RELEASE, "update release set status = 'inactive' where id = $1 returning 1"),
    "destroy a key": (
        "release_key",
        Thing.COPY,
        "update keystore.data_key set wrapped = null, destroyed_at = now() where id = $1 returning 1",
    ),
    "lock a referral": ("referral", Thing.REFERRAL, "select 1 from referral where id = $1 for update"),
}
