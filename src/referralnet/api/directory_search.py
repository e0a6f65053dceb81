"""What narrows a search and what completes a word: counts by kind, and names. Neither is finer than a county (D1)."""

from __future__ import annotations

from uuid import UUID

import strawberry

from referralnet.api.context import Info
from referralnet.api.directory import ServiceSearchInput, directory_query
from referralnet.directory import search_facets, suggesting
from referralnet.identity.access import Permission


@strawberry.type(description="How many of the services found bear one code.")
class FacetCount:
    code: str = strawberry.field(description="As the filter of this kind takes it; unsaid for those that say nothing.")
    name: str | None = strawberry.field(description="Of a category, in the language asked for.")
    count: int


@strawberry.type(description="One kind of counts, the most frequent codes first.")
class Facet:
    kind: str = strawberry.field(
        description="category, language, county, state, cost, access, gender or accepting_now."
    )
    counts: list[FacetCount]


@strawberry.type(description="What a search finds, counted. There is no count finer than a county.")
class SearchFacets:
    total: int
    at_least: bool = strawberry.field(description="More match than are counted: all numbers are minima.")
    facets: list[Facet]


@strawberry.type(description="A name that may be meant.")
class SuggestedName:
    kind: str = strawberry.field(description="service, organization or category.")
    name: str
    code: str | None = strawberry.field(description="Of a category: what the search takes.")
    id: UUID | None = strawberry.field(description="Of a service or organization, where only one is called so.")
    how: str = strawberry.field(description="begins, word_begins or similar.")


@strawberry.type
class DirectorySearchQuery:
    @strawberry.field(description="Counts of what a search finds: categories one level below, languages, areas, costs.")
    async def search_facets(self, info: Info, search: ServiceSearchInput, language: str = "en") -> SearchFacets:
        async with info.context.reading(Permission.SEARCH_DIRECTORY) as (session, _):
            found = await search_facets.search_facets(
                session, directory_query(search, info.context.now), now=info.context.now, language=language
            )
        return SearchFacets(
            total=found.total,
            at_least=found.at_least,
            facets=[
                Facet(kind=kind, counts=[FacetCount(code=row.code, name=row.name, count=row.count) for row in rows])
                for kind, rows in found.counts.items()
            ],
        )

    @strawberry.field(description="At most ten names of services, organizations and categories for what is typed.")
    async def suggest_names(
        self, info: Info, typed: str, kinds: list[str] | None = None, language: str = "en", first: int = 10
    ) -> list[SuggestedName]:
        async with info.context.reading(Permission.SEARCH_DIRECTORY) as (session, _):
            found = await suggesting.suggest_names(
                session, typed, kinds=tuple(kinds or ()), language=language, first=first
            )
        return [SuggestedName(kind=row.kind, name=row.name, code=row.code, id=row.id, how=row.how) for row in found]
