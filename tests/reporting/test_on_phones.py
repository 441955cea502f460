"""Every mail on the narrowest phone: no word cut in two, nothing beyond the edge."""

from __future__ import annotations

from dataclasses import replace

from services.reporting import rules
from services.reporting.rules.mails import Addressee
from tests.portal.browsing import open_chromium
from tests.reporting import goldens, specimens
from tests.reporting.conftest import lay_out

WIDTH = 360
_CUT = r"""() => {
    const cut = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const text = texts.currentNode;
        const style = getComputedStyle(text.parentElement);
        if (style.wordBreak === "break-all" || style.fontFamily.includes("mono")) continue;
        for (const word of text.data.matchAll(/[\p{L}\p{N}]+/gu)) {
            if (word[0].length > 30) continue;  // no line holds it
            const range = document.createRange();
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            const tops = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
            if (tops.size > 1) cut.push(word[0]);
        }
    }
    const over = document.documentElement.scrollWidth - innerWidth;
    return over > 0 ? [...cut, `${over} pixels too wide`] : cut;
}"""


async def test_no_word_is_cut_and_nothing_stands_beyond_the_edge() -> None:
    mails = {name: html for name, html in goldens.render_all().items() if name.endswith(".html")}
    kind, facts = specimens.SPECIMENS["missed"]
    plan = replace(facts.plan, name="Comptabilité_fournisseurs_archives_2026")
    reader = Addressee("jeanne@martin.example", "Jeanne Martin", "fr")
    letter = kind.write(replace(facts, plan=plan), reader, rules.mails.SHOWN[0])
    mails["of a long name"] = lay_out(letter).content.html
    faults = {}
    async with open_chromium() as browser:
        page = await browser.new_page(viewport={"width": WIDTH, "height": 640})
        for name, html in mails.items():
            await page.set_content(html)
            if found := await page.evaluate(_CUT):
                faults[name] = found
    assert faults == {}
