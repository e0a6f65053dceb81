"""Somebody who has a keyboard and nothing else: Tab, arrows, Space and Enter, and sees at each step where they are."""

from __future__ import annotations

from playwright.async_api import Page

TABS_MAX = 200
# What has the focus: none, once it has left the page; else whether somebody who looks would find it.
FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const style = getComputedStyle(one);
  // The design system draws its own boxes: what is seen of one is its label, and the ring is around the box before it.
  const drawn = one.matches(".usa-radio__input, .usa-checkbox__input");
  const seen = drawn ? one.labels[0] : one;
  const ring = drawn ? getComputedStyle(seen, "::before") : style;
  const [box] = seen.getClientRects();
  const name = (one.labels?.[0]?.innerText || one.innerText || one.id || one.tagName).trim().slice(0, 60);
  if (!box) return [name, "has no place"];
  const [x, y] = [Math.min(box.left + box.width / 2, innerWidth - 2), box.top + Math.min(box.height / 2, 20)];
  const top = document.elementFromPoint(x, y);
  if (x < 0 || y < 0 || y > innerHeight) return [name, `outside, ${x}, ${y}`];
  if (!top || !(seen.contains(top) || top.contains(seen))) return [name, `behind ${top && top.outerHTML.slice(0, 80)}`];
  if (ring.outlineStyle === "none" || parseFloat(ring.outlineWidth) < 2) return [name, "has no ring"];
  return [name, ""];
}"""
_IS_IT = """(wanted) => {
  const one = document.activeElement;
  if (wanted.startsWith("#") || wanted.startsWith(".")) return one.matches(wanted);
  return (one.labels?.[0]?.innerText || one.innerText || "").trim().replace(/\\s+/g, " ").startsWith(wanted);
}"""


class Keys:
    """The keys, on one page after another; what is wanted is a selector or what a label, link or button begins with."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def to(self, wanted: str) -> None:
        """Tab until it has the focus; whatever has it on the way is seen as well."""
        for _ in range(TABS_MAX):
            await self._page.keyboard.press("Tab")
            told = await self._page.evaluate(FOCUSED)
            assert told is None or not told[1], told
            if await self._page.evaluate(_IS_IT, wanted):
                return
        raise AssertionError(f"the keyboard does not reach {wanted!r}")

    async def type(self, field: str, words: str) -> None:
        """Write into a field, or choose of a list by its first letters."""
        await self.to(field)
        await self._page.keyboard.type(words)

    async def choose(self, group: str, wanted: str) -> None:
        """One of several that exclude each other: Tab to the group, arrows within it."""
        await self.to(f".usa-radio__input[name={group}]")
        await self._page.keyboard.press("Space")
        for _ in range(20):
            if await self._page.evaluate(_IS_IT, wanted):
                return
            await self._page.keyboard.press("ArrowDown")
        raise AssertionError(f"the arrows do not reach {wanted!r}")

    async def tick(self, wanted: str) -> None:
        """Tick a box."""
        await self.to(wanted)
        await self._page.keyboard.press("Space")

    async def follow(self, wanted: str) -> None:
        """Follow a link or press a button, and be on the page that comes."""
        await self.to(wanted)
        async with self._page.expect_navigation():
            await self._page.keyboard.press("Enter")
