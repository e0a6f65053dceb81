"""The GraphQL schema, put together; schema/referralnet.graphql is exported from it."""

from __future__ import annotations

from collections.abc import Callable

import strawberry
from graphql import GraphQLError
from strawberry.extensions import DisableIntrospection, MaxTokensLimiter, ParserCache, SchemaExtension, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from referralnet.api.accounting import AccountingQuery
from referralnet.api.alarms import AlarmMutation, AlarmQuery
from referralnet.api.between_parties import BetweenPartiesMutation, BetweenPartiesQuery
from referralnet.api.blocks import BlockMutation, BlockQuery
from referralnet.api.compiling import CompilingExecutor
from referralnet.api.consent import ConsentMutation, ConsentQuery
from referralnet.api.deadlines import DeadlinesMutation, DeadlinesQuery
from referralnet.api.directory import DirectoryMutation, DirectoryQuery
from referralnet.api.directory_search import DirectorySearchQuery
from referralnet.api.drafts import DraftMutation
from referralnet.api.duplicates import DuplicateMutation, DuplicateQuery
from referralnet.api.erasing import ErasureMutation
from referralnet.api.handoffs import HandoffMutation, HandoffQuery
from referralnet.api.identity import IdentityMutation, IdentityQuery
from referralnet.api.limits import TOKENS_MAX, LimitComplexity
from referralnet.api.listings import ListingMutation, ListingQuery
from referralnet.api.matching import MatchingQuery
from referralnet.api.measures import MeasureQuery
from referralnet.api.members import MemberMutation, MemberQuery
from referralnet.api.needs import NeedMutation, NeedQuery
from referralnet.api.network import NetworkMutation, NetworkQuery
from referralnet.api.referrals import ReferralMutation, ReferralQuery
from referralnet.api.releases import ReleaseMutation, ReleaseQuery
from referralnet.api.routing import RoutingMutation, RoutingQuery
from referralnet.api.subscriptions import Subscription
from referralnet.api.survivor_records import SurvivorRecordMutation, SurvivorRecordQuery
from referralnet.api.survivor_search import SurvivorSearchMutation, SurvivorSearchQuery
from referralnet.api.survivor_signers import SurvivorSignerMutation
from referralnet.api.survivor_words import SurvivorWordsQuery
from referralnet.api.survivors import SurvivorMutation, SurvivorQuery
from referralnet.api.text_policy import TextPolicyMutation, TextPolicyQuery
from referralnet.api.texts import TextQuery
from referralnet.api.trail import TrailMutation, TrailQuery
from referralnet.api.two_people import TwoPeopleMutation, TwoPeopleQuery
from referralnet.api.visits import VisitMutation
from referralnet.api.webhooks import WebhookMutation, WebhookQuery
from referralnet.api.wording import WordingQuery
from referralnet.api.worklists import WorklistMutation, WorklistQuery

DOCUMENTS_CACHED_MAX = 512


@strawberry.type(description="What can be asked.")
class Query(
    IdentityQuery,
    DirectoryQuery,
    DirectorySearchQuery,
    ListingQuery,
    DuplicateQuery,
    SurvivorQuery,
    SurvivorRecordQuery,
    NeedQuery,
    SurvivorSearchQuery,
    ReleaseQuery,
    BlockQuery,
    TwoPeopleQuery,
    ConsentQuery,
    AccountingQuery,
    MatchingQuery,
    ReferralQuery,
    RoutingQuery,
    HandoffQuery,
    BetweenPartiesQuery,
    TextQuery,
    TextPolicyQuery,
    DeadlinesQuery,
    SurvivorWordsQuery,
    WordingQuery,
    AlarmQuery,
    MemberQuery,
    NetworkQuery,
    MeasureQuery,
    TrailQuery,
    WebhookQuery,
    WorklistQuery,
):
    pass


@strawberry.type(description="What can be changed. A repeated idempotency key has one effect and one answer.")
class Mutation(
    IdentityMutation,
    DirectoryMutation,
    ListingMutation,
    DuplicateMutation,
    SurvivorMutation,
    SurvivorRecordMutation,
    SurvivorSignerMutation,
    NeedMutation,
    SurvivorSearchMutation,
    ReleaseMutation,
    BlockMutation,
    TwoPeopleMutation,
    ConsentMutation,
    ReferralMutation,
    RoutingMutation,
    HandoffMutation,
    BetweenPartiesMutation,
    VisitMutation,
    DraftMutation,
    ErasureMutation,
    AlarmMutation,
    MemberMutation,
    NetworkMutation,
    TrailMutation,
    TextPolicyMutation,
    DeadlinesMutation,
    WebhookMutation,
    WorklistMutation,
):
    pass


class QuietSchema(strawberry.Schema):
    """Strawberry logs errors with the query's text, literals included (P2): the endpoint logs crashes without it."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        pass


def build_schema(*, introspection: bool, compiled: bool = True) -> strawberry.Schema:
    """The schema with its limits.

    Args:
        introspection: whether clients may ask for the schema itself; off in production (P2).
        compiled: whether answers are completed by what was compiled for their document, or field by field.
    """
    extensions: list[type[SchemaExtension] | Callable[[], SchemaExtension]] = [
        lambda: MaxTokensLimiter(max_token_count=TOKENS_MAX),
        lambda: ParserCache(maxsize=DOCUMENTS_CACHED_MAX),
        LimitComplexity,
        lambda: ValidationCache(maxsize=DOCUMENTS_CACHED_MAX),
    ]
    if not introspection:
        extensions.append(DisableIntrospection)
    return QuietSchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        extensions=extensions,
        execution_context_class=CompilingExecutor if compiled else None,
        config=StrawberryConfig(disable_field_suggestions=True),
    )
