"""Seeded private things in natural frames: what a scrubbed corpus must not hold any more.

Written after the finders, in the shapes that people use and not from the finders' expressions. Nobody is meant.
"""

import numpy as np

NAMES = """Henrietta Blackwood|Marcus Delgado|Aoife Brannigan|Nguyen Thi Lan|Siddharth Rangarajan|Xiaolin Feng
Guadalupe Montemayor|Khalid al-Mansouri|Kofi Amponsah|Yekaterina Belova|Takeshi Murakawa|Wilhelmina van der Berg
Temitope Ogunleye|Bohdan Lysenko|Seo-jun Baek|Kalani Kahananui|Jean-Baptiste Lacroix|Katarzyna Zawadzka
Ferenc Bodnár|Mariana dos Anjos|Emine Karataş|Wiremu Parata|Sibusiso Khumalo|Farhad Rostami|Ingeborg Aasen
Dr. Rosalind Thackeray|T. S. Pemberton|Wambui Gathoni|Soledad Echeverría|Anselm Grünwald|Ibrahim Touré
Maryam Siddiqui|Tevita Fonoti|Deirdre Mac Giolla|Luca Bevilacqua|Saoirse Ní Bhriain|Bilal Chaudhry|Odalys Quintero
Gethin Llewellyn|Mirjana Stojanović|Thaddeus Okonjo|Pilar Iturbide|Hamza Benkirane|Nikos Kazantzidis|Sunniva Dahl
Chukwuemeka Eze|Lakshmi Subramaniam|Emily Carter|Dave Thompson|Rachel Goldfarb"""
GIVEN = "Jessica|Oluwaseun|Priya|Mohammed|Giulia|Svetlana|Brandon|Mehmet|Kimberly|Hiroshi|Fiona|Alejandro|Khadija|Tyler|Gretchen"
URLS = """https://photos.example.net/u/4471/album|http://10.12.0.9/cam|www.my-little-shop.com/cart?id=3|annasblog.tumblr.com
https://maps.example.org/@52.1,4.3,17z|drive.google.com/open?id=1Zx|bit.ly/2QkLmN|HTTP://OLD-SITE.EDU/~KW/CV.HTML|kwebsite.org
my.server.io:8080/login|linkedin.com/in/k-w-99|facebook.com/kw.photo|https://xn--bcher-kva.example/a_(b)|kleinanzeigen.de
someblog dot net|ftp://ftp.example.com/pub/x.zip|goodreads.com|hxxps://strange.example.com|sub.domain.co.nz/page#frag|fotki.ru/anna"""
EMAILS = """h.blackwood@example.com|marcus_delgado81@mail.example.co.uk|kw+lists@uni-example.de|rosa (at) example (dot) org
tom[at]example[dot]net|lena at example dot com|big.bob99@hotmail.com|info AT smallshop DOT biz|o'neil.j@example.ie|yuki @ example.jp
the_kw{at}example{dot}edu|f.rostami@law.example.ac.ir|pat99 at gmail.com|x_x@example.info|anna.k at yahoo dot fr"""
PHONES = """(415) 555-0132|+1 212 555 0145|+44 7700 900456|0207 946 0321|+49 (0)30 5550 1234|01 70 18 99 33|555-0167
1-888-555-0110|646.555.0129|+91 99999 01234|08 5550 4321|+55 11 95555-0134|+234 803 555 0123|090-5550-1234|(02) 5550 9876
6465550187|+7 495 555 01 23|0151 55501234|five five five, zero one nine nine, two|+86 139 0000 1234"""
PLACES = """17 Maple Street|4021 W Belmont Ave|9 Chemin des Vignes|Goethestraße 22|Carrera 7 No. 45-10|Calle Mayor 31
Via Dante 18|52.3702, 4.8952|48°51'29"N 2°17'40"E|EC1V 9HX|M5V 2T6|60614-2203|St. Brigid's Hospital|Roosevelt High School
the Rusty Anchor pub|the Blue Heron Cafe|Whitmore Library|Kaplan Hall|the corner of 8th and Clement|1600 Willow Creek Road
PO Box 7741|Apt 12C|Mario's Pizzeria|the Jade Garden restaurant|88 Colin P Kelly Jr Street|Universidad de los Andes
Hotel Belvedere|Brookside Elementary|Thornbury Road|lat 37.7793, lon -122.4193|Rua Augusta 1500|Prinsengracht 263
ul. Długa 44|Jalan Merdeka 10|Birkenweg 5|Stansted Airport|Mount Olivet Cemetery|Rosewood Apartments|the Bosch plant
12 St James's Square|the Old Mill Inn|Greyfriars Church|Al-Noor Mosque|Temple Beth Shalom|Union Station|Fairview Mall
300 Lakeside Drive, Suite 210|Oakridge Drive|221 B Station Road|Kita-ku 3-12-7"""
FRAMES = {
    "name": """{} moved in next door and plays the drums.|Big thanks to {} for the advice on sourdough.|I asked {} about the gearbox.
My cousin {} knits better than me.|The photo was taken by {} at the beach.|Turns out {} had the same idea in March.
We had dinner with {} and two friends.|She works for {}, who is never late.|{}'s garden is full of roses.|Who is {}?""",
    "given": """my sister {} loves the sea|I told {} to bring a tent.|{} says the trail is closed.|So {} and I built a shed.|ran into {} again today""",
    "url": """I put the pictures on {} last night.|see {} for more|Found it here: {}|Look at this ({}), so good!|{} has a good guide""",
    "email": """Write to {} if you want one.|my mail: {}|Send it to {}, please.|you can reach me under {}|{} works best""",
    "phone": """Call me at {} after six.|My number is {}.|text {} for the address|You get the shop under {} on weekdays.|phone: {}""",
    "place": """I live at {} these days.|We met at {} last spring.|My office is near {}.|Take the bus to {} and walk.|She was born close to {}, in the snow.""",
}


def corpus(seed, per_canary=2):
    """(kind, canary, text) in natural frames, the same for the same seed."""
    rng = np.random.default_rng(seed)
    lists = {"name": NAMES, "given": GIVEN, "url": URLS, "email": EMAILS, "phone": PHONES, "place": PLACES}
    found = []
    for kind, listed in lists.items():
        frames = FRAMES[kind].replace("\n", "|").split("|")
        for canary in listed.replace("\n", "|").split("|"):
            for at in rng.choice(len(frames), per_canary, replace=False):
                found.append((kind, canary, frames[at].format(canary)))
    return found
