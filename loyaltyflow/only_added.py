"""Tables whose rows are only added, as ledgers and logs are: the database itself holds them to it."""

import pgtrigger


def append_only(message: str) -> list[pgtrigger.Trigger]:
    """Triggers for a table whose rows are only added: the database itself refuses to change, delete or empty them."""
    refuse = f"RAISE EXCEPTION '{message}';"
    return [
        pgtrigger.Trigger(
            name="only_added", when=pgtrigger.Before, operation=pgtrigger.Update | pgtrigger.Delete, func=refuse
        ),
        pgtrigger.Trigger(
            name="never_emptied",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
            func=refuse,
        ),
    ]


def guards() -> list[tuple[str, str]]:
    """Every table that is only added to, with the name of each trigger in the database that holds it to that."""
    names = {"only_added", "never_emptied"}
    found = [
        (model._meta.db_table, each.get_pgid(model)) for model, each in pgtrigger.registered() if each.name in names
    ]
    return sorted(found)


def emptying(truncate: str) -> str:
    """The TRUNCATE statement, let through by tables that are only added to: for a store that is made to be emptied."""
    guards = [guard.get_pgid(model) for model, guard in pgtrigger.registered() if guard.name == "never_emptied"]
    let_through = "SELECT set_config('pgtrigger.ignore', '{%s}', true)"
    return f"{let_through % ','.join(guards)}; {truncate.rstrip('; ')}; {let_through % ''}"
