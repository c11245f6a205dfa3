"""What the demo shop sells: category tree, brands, words. Nothing here is random."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["durable", "accessory", "consumable"]


@dataclass(frozen=True)
class Leaf:
    """A narrowest category.

    A durable is bought once, a consumable again after about `period_days`. Demand on a day of the year is
    multiplied by exp(swing · cos(2π (day − peak_day) / 365)).
    """

    department: str
    group: str
    name: str
    noun: str
    noun_zh: str
    price: float  # middle of the range, EUR
    role: Role
    period_days: float = 0.0
    peak_day: float = 0.0
    swing: float = 0.0

    @property
    def path(self) -> tuple[str, str, str]:
        """From the widest to the narrowest category."""
        return self.department, self.group, self.name


LEAVES = (
    Leaf("Electronics", "Phones", "Smartphones", "smartphone", "智能手机", 420, "durable"),
    Leaf("Electronics", "Phones", "Phone cases", "phone case", "手机壳", 19, "accessory"),
    Leaf("Electronics", "Phones", "Chargers", "charger", "充电器", 24, "accessory"),
    Leaf("Electronics", "Computers", "Laptops", "laptop", "笔记本电脑", 890, "durable"),
    Leaf("Electronics", "Computers", "Laptop sleeves", "laptop sleeve", "电脑内胆包", 29, "accessory"),
    Leaf("Electronics", "Computers", "Mice", "mouse", "鼠标", 27, "accessory"),
    Leaf("Electronics", "Photo", "Cameras", "camera", "相机", 560, "durable", 0, 160, 0.4),
    Leaf("Electronics", "Photo", "Memory cards", "memory card", "存储卡", 32, "accessory"),
    Leaf("Home", "Coffee", "Coffee machines", "coffee machine", "咖啡机", 240, "durable"),
    Leaf("Home", "Coffee", "Coffee beans", "coffee beans", "咖啡豆", 14, "consumable", 18),
    Leaf("Home", "Coffee", "Descalers", "descaler", "除垢剂", 9, "consumable", 35),
    Leaf("Home", "Light", "Lamps", "lamp", "台灯", 65, "durable", 0, 350, 0.7),
    Leaf("Home", "Light", "Bulbs", "light bulb", "灯泡", 8, "accessory", 0, 350, 0.5),
    Leaf("Home", "Kitchen", "Pans", "frying pan", "平底锅", 48, "durable"),
    Leaf("Home", "Kitchen", "Knives", "kitchen knife", "厨刀", 39, "accessory"),
    Leaf("Beauty", "Shaving", "Razors", "razor", "剃须刀", 35, "durable"),
    Leaf("Beauty", "Shaving", "Razor blades", "razor blades", "刀片", 13, "consumable", 25),
    Leaf("Beauty", "Skin", "Sun cream", "sun cream", "防晒霜", 16, "consumable", 24, 185, 1.6),
    Leaf("Beauty", "Skin", "Moisturisers", "moisturiser", "保湿霜", 18, "consumable", 28, 20, 0.6),
    Leaf("Beauty", "Hair", "Shampoo", "shampoo", "洗发水", 8, "consumable", 21),
    Leaf("Garden", "Grilling", "Grills", "grill", "烧烤炉", 180, "durable", 0, 165, 1.5),
    Leaf("Garden", "Grilling", "Charcoal", "charcoal", "木炭", 12, "consumable", 14, 180, 1.6),
    Leaf("Garden", "Plants", "Planters", "planter", "花盆", 26, "durable", 0, 110, 1.2),
    Leaf("Garden", "Plants", "Seeds", "seeds", "种子", 4, "accessory", 0, 95, 1.6),
    Leaf("Sport", "Running", "Running shoes", "running shoe", "跑鞋", 110, "durable", 0, 120, 0.5),
    Leaf("Sport", "Running", "Running socks", "running sock", "跑步袜", 12, "accessory", 0, 120, 0.4),
    Leaf("Sport", "Cycling", "Helmets", "cycling helmet", "自行车头盔", 70, "durable", 0, 140, 0.9),
    Leaf("Sport", "Cycling", "Bike lights", "bike light", "自行车灯", 28, "accessory"),
    Leaf("Sport", "Yoga", "Yoga mats", "yoga mat", "瑜伽垫", 38, "durable", 0, 10, 0.8),
    Leaf("Sport", "Yoga", "Yoga blocks", "yoga block", "瑜伽砖", 15, "accessory", 0, 10, 0.5),
    Leaf("Pets", "Dogs", "Dog leads", "dog lead", "牵引绳", 22, "durable"),
    Leaf("Pets", "Dogs", "Dog food", "dog food", "狗粮", 31, "consumable", 20),
    Leaf("Pets", "Cats", "Litter boxes", "litter box", "猫砂盆", 34, "durable"),
    Leaf("Pets", "Cats", "Cat litter", "cat litter", "猫砂", 15, "consumable", 16),
)

LINKS = (
    ("Smartphones", "Phone cases"),
    ("Smartphones", "Chargers"),
    ("Laptops", "Laptop sleeves"),
    ("Laptops", "Mice"),
    ("Cameras", "Memory cards"),
    ("Coffee machines", "Coffee beans"),
    ("Coffee machines", "Descalers"),
    ("Lamps", "Bulbs"),
    ("Pans", "Knives"),
    ("Razors", "Razor blades"),
    ("Grills", "Charcoal"),
    ("Planters", "Seeds"),
    ("Running shoes", "Running socks"),
    ("Helmets", "Bike lights"),
    ("Yoga mats", "Yoga blocks"),
    ("Dog leads", "Dog food"),
    ("Litter boxes", "Cat litter"),
)
"""Who buys from the first category needs something from the second, never the other way round."""

BRANDS = {
    "Electronics": ("Nordlys", "Kairo", "Veltra", "Oumi", "Brightek"),
    "Home": ("Hearthly", "Casa Lund", "Morrow", "Tan & Co", "Kettlewell"),
    "Beauty": ("Aurelle", "Softwell", "Meihua", "Dr. Brandt", "Plain"),
    "Garden": ("Greenacre", "Fernhaus", "Lotus Yard", "Oakley Moor", "Sunpatch"),
    "Sport": ("Strida", "Peakline", "Feiyu", "Ironmoss", "Velora"),
    "Pets": ("Pawlin", "Mimo", "Tailwood", "Goodboy", "Whiskr"),
}

BANDS = (("Basic", "基础款", 0.6), ("Plus", "升级款", 1.0), ("Premium", "高端款", 1.8))
"""Price bands: word, Chinese word, factor on the category's middle price."""

COLOURS = {
    "black": ("黑色", "#202020"),
    "white": ("白色", "#f8f8f8"),
    "red": ("红色", "#c8242c"),
    "blue": ("蓝色", "#2456b8"),
    "green": ("绿色", "#2c8a46"),
    "yellow": ("黄色", "#e6b81e"),
    "black & white": ("黑白色", "#808080"),
}

QUALITIES = (
    ("light", "轻便"),
    ("robust", "坚固耐用"),
    ("compact", "小巧"),
    ("quiet", "安静"),
    ("gentle", "温和"),
    ("easy to clean", "易清洁"),
    ("made to last", "经久耐用"),
    ("natural", "天然"),
)

SYLLABLES = ("ar", "bel", "cor", "dun", "el", "fen", "gal", "hol", "ix", "jor", "kel", "lum", "mir", "nor", "ost")

LEAF_INDEX = {leaf.name: index for index, leaf in enumerate(LEAVES)}
DEPARTMENTS = tuple(BRANDS)
BRAND_NAMES = tuple(brand for brands in BRANDS.values() for brand in brands)
BRAND_INDEX = {brand: index for index, brand in enumerate(BRAND_NAMES)}
