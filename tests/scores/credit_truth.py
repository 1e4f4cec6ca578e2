"""Credit once more, read from its definition by another author: plain dicts and loops, no Arrow, no NumPy."""

from __future__ import annotations

from decimal import Decimal


def truth(rows, rules, entry_dates, accept):
    """(decision, rule or None, credits or None) by (ap_id, exam_code, year)."""
    below = {rule.name: reach(rule, {each.name: each for each in rules}) for rule in rules}
    result, people = {}, {}
    for row in rows:
        people.setdefault((row["college_code"], row["person_id"] or row["ap_id"]), []).append(row)
    for mine in people.values():
        usable = [row for row in mine if row["status"] in accept and row["score"] and not row["withdrawn"]]
        for row in mine:
            if row not in usable:
                result[key(row)] = ("withdrawn" if row["withdrawn"] else "not_final", None, None)
        dates = [entry_dates[row["ap_id"]] for row in mine if row["ap_id"] in entry_dates]
        chosen = []
        for row in usable:
            entry = entry_dates.get(row["ap_id"], min(dates, default=None))
            fits = [rule for rule in rules if covers(rule, row, entry, usable)]
            fits = [rule for rule in fits if not any(rule.name in below[other.name] for other in fits)]
            if fits:
                undated = entry is None and all(rule.entry_from or rule.entry_to for rule in fits)
                assert undated or len(fits) == 1
                chosen.append([row, None if undated else fits[0]])
            else:
                low = [
                    r for r in rules if covers(r, row | {"score": 5 if r.score_max == 5 else r.score_max}, entry, None)
                ]
                is_low = not_met = False
                for rule in low:
                    is_low = is_low or row["score"] < rule.score_min
                    not_met = not_met or rule.score_min <= row["score"] <= rule.score_max
                result[key(row)] = ("below" if is_low and not not_met else "no_rule", None, None)
        for group in (lambda row, rule: exam_of(row), lambda row, rule: rule and rule.name):
            best = {}
            for row, rule in sorted(chosen, key=lambda each: order(*each)):
                name = group(row, rule)
                if name is None or name not in best:
                    best[name] = row
                else:
                    result[key(row)] = ("replaced", rule and rule.name, None)
            chosen = [each for each in chosen if key(each[0]) not in result]
        live = {rule.name for _, rule in chosen if rule}
        for row, rule in chosen:
            if rule and any(rule.name in below[other] for other in live):
                result[key(row)] = ("replaced", rule.name, None)
        spent = {}
        caps = {rule.cap_group: rule.cap_credits for rule in rules if rule.cap_credits is not None}
        for row, rule in sorted(chosen, key=lambda each: order(*each)[:2] + order(*each)[3:]):
            if key(row) in result:
                continue
            if rule is None or rule.review or "|" in rule.award:
                result[key(row)] = ("review", rule and rule.name, None)
                continue
            worth = rule.credits
            left = caps[rule.cap_group] - spent.get(rule.cap_group, 0) if rule.cap_group else worth
            given = min(left, worth)
            if rule.cap_group:
                spent[rule.cap_group] = spent.get(rule.cap_group, 0) + given
            result[key(row)] = ("award" if given == worth else "capped", rule.name, float(given))
    return result


def key(row):
    return row["ap_id"], row["exam_code"], row["admin_year"]


def reach(rule, named):
    found = set()
    for name in rule.replaces:
        found |= {name} | reach(named[name], named)
    return found


def exam_of(row):
    return row["exam_code"], row["exam_code"] == "93" and row["admin_year"] >= 2020


def order(row, rule):
    return -row["score"], -(rule.credits or 0) if rule else Decimal(0), -row["admin_year"], rule.name if rule else ""


def covers(rule, row, entry, usable):
    """Whether *rule* covers *row*, as far as the entry date is known. *usable* None: whatever else is there."""
    return (
        rule.exam_code == row["exam_code"]
        and (rule.exam_year_from or 0) <= row["admin_year"] <= (rule.exam_year_to or 9999)
        and rule.score_min <= row["score"] <= rule.score_max
        and (entry is None or ((rule.entry_from or entry) <= entry <= (rule.entry_to or entry)))
        and (
            usable is None
            or all(
                any(other["exam_code"] == each.exam_code and other["score"] >= each.score_min for other in usable)
                for each in rule.also_requires
            )
        )
    )
