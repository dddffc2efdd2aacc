"""The catalog of an open database: queried in one place, read as listings, trees and snapshots."""
