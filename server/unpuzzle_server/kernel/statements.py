"""Statements whose columns are what somebody has sent: the value of each has its name."""

from collections.abc import Iterable, Sequence

from sqlalchemy import TextClause, text


def insert(table: str, columns: Sequence[str], then: str = "") -> TextClause:
    values = ", ".join(f":{name}" for name in columns)
    return text(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values}) {then} RETURNING id")


def update(table: str, columns: Iterable[str], where: str) -> TextClause:
    return text(f"UPDATE {table} SET {', '.join(f'{name} = :{name}' for name in columns)} WHERE {where}")
