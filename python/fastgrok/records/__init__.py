"""Runs as they were recorded: arrays, the reports of the engines, tables and files."""

from fastgrok.records.record import Record
from fastgrok.records.reports import EngineReport, LeapReport

__all__ = ["EngineReport", "LeapReport", "Record"]
