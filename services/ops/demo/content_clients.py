"""The clients of the demo workspace and where they are."""

from dataclasses import dataclass

TIME_ZONES = {
    "DE": "Europe/Berlin",
    "FR": "Europe/Paris",
    "GB": "Europe/London",
    "IE": "Europe/Dublin",
    "NL": "Europe/Amsterdam",
    "NO": "Europe/Oslo",
    "PT": "Europe/Lisbon",
}
# Standard rate of the value-added tax, in percent.
VAT = {"DE": "19", "FR": "20", "GB": "20", "IE": "23", "NL": "21", "NO": "25", "PT": "23"}


@dataclass(frozen=True)
class DemoSite:
    name: str
    street: str
    postal_code: str
    city: str
    # Where the clocks differ from the rest of the country.
    time_zone: str | None = None


@dataclass(frozen=True)
class DemoClient:
    """`desks` are the people who work with a computer; the first site is the main one."""

    name: str
    short: str
    industry: str
    country: str
    currency: str
    hourly_rate: str
    status: str
    desks: int
    sites: tuple[DemoSite, ...]


CLIENTS = (
    DemoClient("Alder & Finch Solicitors", "ALDER", "Legal", "GB", "GBP", "95.00", "active", 14, (
        DemoSite("Bristol office", "12 Queen Square", "BS1 4NT", "Bristol"),
        DemoSite("Bath office", "3 Gay Street", "BA1 2PH", "Bath"))),
    DemoClient("Bergmann Präzisionstechnik GmbH", "BERG", "Manufacturing", "DE", "EUR", "110.00", "active", 22, (
        DemoSite("Werk Stuttgart", "Industriestraße 48", "70565", "Stuttgart"),
        DemoSite("Werk Esslingen", "Neckarwiesen 7", "73730", "Esslingen"),
        DemoSite("Vertrieb Wien", "Gudrunstraße 11", "1100", "Wien", "Europe/Vienna"))),
    DemoClient("Bluewater Dental Group", "BLUE", "Healthcare", "IE", "EUR", "88.00", "active", 12, (
        DemoSite("Galway practice", "21 Salthill Road Lower", "H91 K2P4", "Galway"),
        DemoSite("Athlone practice", "5 Church Street", "N37 X8W2", "Athlone"))),
    DemoClient("Carrick Freight", "CARR", "Logistics", "IE", "EUR", "80.00", "active", 13, (
        DemoSite("Depot", "Unit 9, Ringaskiddy Park", "P43 HE22", "Cork"),
        DemoSite("Dublin Port desk", "Alexandra Road", "D01 F5P2", "Dublin"))),
    DemoClient("Copperline Brewing", "COPP", "Food and drink", "GB", "GBP", "75.00", "active", 8, (
        DemoSite("Brewery", "88 Kirkstall Road", "LS3 1LX", "Leeds"),)),
    DemoClient("Dumas Architectes", "DUMAS", "Architecture", "FR", "EUR", "98.00", "active", 9, (
        DemoSite("Agence de Lyon", "17 rue de la Charité", "69002", "Lyon"),)),
    DemoClient("Eastgate Primary School", "EAST", "Education", "GB", "GBP", "60.00", "active", 10, (
        DemoSite("School", "Sprowston Road", "NR3 4AB", "Norwich"),)),
    DemoClient("Fjord Seafood AS", "FJORD", "Food and drink", "NO", "NOK", "1150.00", "active", 11, (
        DemoSite("Hovedkontor", "Bontelabo 2", "5003", "Bergen"),
        DemoSite("Mottak Tromsø", "Stakkevollvegen 55", "9010", "Tromsø"))),
    DemoClient("Greenfield Veterinary Clinic", "GREEN", "Healthcare", "GB", "GBP", "78.00", "active", 6, (
        DemoSite("Clinic", "40 Heavitree Road", "EX1 2LQ", "Exeter"),)),
    DemoClient("Hartmann Steuerberatung", "HART", "Accounting", "DE", "EUR", "105.00", "active", 8, (
        DemoSite("Kanzlei Köln", "Aachener Straße 210", "50931", "Köln"),)),
    DemoClient("Ivy Lane Property Management", "IVY", "Real estate", "GB", "GBP", "82.00", "active", 5, (
        DemoSite("Office", "9 Milsom Street", "BA1 1DA", "Bath"),)),
    DemoClient("Jansen Bouw BV", "JANS", "Construction", "NL", "EUR", "92.00", "active", 9, (
        DemoSite("Kantoor", "Europalaan 400", "3526 KS", "Utrecht"),
        DemoSite("Werkplaats", "Ampèreweg 16", "3442 AB", "Woerden"))),
    DemoClient("Kestrel Outdoor", "KEST", "Retail", "GB", "GBP", "72.00", "offboarded", 4, (
        DemoSite("Shop", "14 Main Street", "CA12 5BN", "Keswick"),)),
    DemoClient("Lumen Studio", "LUMEN", "Media", "DE", "EUR", "99.00", "active", 7, (
        DemoSite("Studio", "Ritterstraße 12", "10969", "Berlin"),)),
    DemoClient("Mistral Hotels", "MIST", "Hospitality", "FR", "EUR", "90.00", "active", 11, (
        DemoSite("Hôtel du Vieux-Port", "23 quai de Rive Neuve", "13007", "Marseille"),
        DemoSite("Hôtel des Calanques", "4 avenue Notre-Dame", "13260", "Cassis"),
        DemoSite("Hôtel du Lagon", "61 rue du Port", "97434", "Saint-Paul", "Indian/Reunion"))),
    DemoClient("Northwind Charity", "NORTH", "Non-profit", "GB", "GBP", "55.00", "active", 6, (
        DemoSite("Head office", "100 West Regent Street", "G2 2QD", "Glasgow"),
        DemoSite("Warehouse", "Unit 3, Hillington Park", "G52 4NQ", "Glasgow"))),
    DemoClient("Orchard Farm Shops", "ORCH", "Retail", "GB", "GBP", "70.00", "suspended", 5, (
        DemoSite("Hereford shop", "2 Widemarsh Street", "HR4 9EA", "Hereford"),
        DemoSite("Ledbury shop", "31 High Street", "HR8 1BS", "Ledbury"))),
    DemoClient("Pemberton Wealth", "PEMB", "Finance", "GB", "GBP", "140.00", "active", 10, (
        DemoSite("City office", "55 Basinghall Street", "EC2V 5EH", "London"),
        DemoSite("Jersey office", "18 Esplanade", "JE2 3QB", "St Helier", "Europe/Jersey"))),
    DemoClient("Quayside Gym", "QUAY", "Leisure", "GB", "GBP", "65.00", "onboarding", 4, (
        DemoSite("Gym", "7 Quayside", "NE1 3DX", "Newcastle upon Tyne"),)),
    DemoClient("Rosario Imports", "ROSA", "Wholesale", "PT", "EUR", "76.00", "prospect", 0, (
        DemoSite("Armazém do Porto", "Rua do Ouro 118", "4150-552", "Porto"),
        DemoSite("Ponta Delgada", "Avenida do Mar 26", "9500-236", "Ponta Delgada", "Atlantic/Azores"))),
)  # fmt: skip
