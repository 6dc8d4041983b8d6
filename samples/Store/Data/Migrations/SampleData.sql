-- Nothing here is random: every start inserts the same rows.

-- Eight categories of 1,250 products. Within a category, the combination advances by 739 of 2,000 and never repeats
-- (739 and 2,000 have no common divisor). Every name is therefore unique, and consecutive names differ.
INSERT INTO products (name, category, price)
SELECT
    concat_ws(' ',
        (ARRAY['Quiet', 'Harbour', 'Nordic', 'Amber', 'Folded', 'Little', 'Morning', 'Salt', 'Drift', 'Evening',
               'Simple', 'Harvest', 'Northern', 'Plain', 'Hidden', 'Wide', 'Early', 'Winter', 'Coastal', 'Second'])[1 + c % 20],
        materials[1 + c / 20 % 10],
        nouns[1 + c / 200]),
    category,
    -- From 0.6 to 2.4 times the category's usual price, ending in .90.
    floor(usual_price * (60 + c * 37 % 180) / 100) + 0.90
FROM generate_series(0, 9999) AS n
JOIN (VALUES
    (0, 'Kitchen', 24,
        ARRAY['Oak', 'Steel', 'Copper', 'Cast-Iron', 'Enamel', 'Stoneware', 'Glass', 'Bamboo', 'Marble', 'Walnut'],
        ARRAY['Kettle', 'Bowl', 'Board', 'Grinder', 'Carafe', 'Whisk', 'Jar', 'Pan', 'Teapot', 'Ladle']),
    (1, 'Lighting', 68,
        ARRAY['Brass', 'Linen', 'Glass', 'Paper', 'Oak', 'Steel', 'Rattan', 'Ceramic', 'Copper', 'Opal'],
        ARRAY['Lamp', 'Lantern', 'Pendant', 'Sconce', 'Candlestick', 'Spotlight', 'Reading Lamp', 'Night Light', 'Shade', 'Torch']),
    (2, 'Desk', 31,
        ARRAY['Oak', 'Walnut', 'Leather', 'Brass', 'Cork', 'Felt', 'Steel', 'Ash', 'Linen', 'Maple'],
        ARRAY['Notebook', 'Pen', 'Tray', 'Clock', 'Bookend', 'Lectern', 'Pencil Case', 'Calendar', 'Paperweight', 'Stand']),
    (3, 'Garden', 27,
        ARRAY['Cedar', 'Zinc', 'Steel', 'Teak', 'Terracotta', 'Willow', 'Oak', 'Copper', 'Iron', 'Larch'],
        ARRAY['Trowel', 'Planter', 'Watering Can', 'Bench', 'Trellis', 'Bird House', 'Rake', 'Basket', 'Stool', 'Secateurs']),
    (4, 'Travel', 82,
        ARRAY['Canvas', 'Leather', 'Waxed', 'Nylon', 'Wool', 'Cotton', 'Felt', 'Linen', 'Cork', 'Denim'],
        ARRAY['Backpack', 'Suitcase', 'Wallet', 'Flask', 'Umbrella', 'Pouch', 'Weekender', 'Map Case', 'Pillow', 'Strap']),
    (5, 'Audio', 95,
        ARRAY['Walnut', 'Oak', 'Aluminium', 'Linen', 'Bamboo', 'Birch', 'Steel', 'Ash', 'Brass', 'Maple'],
        ARRAY['Speaker', 'Headphones', 'Radio', 'Turntable', 'Microphone', 'Amplifier', 'Metronome', 'Music Box', 'Earbuds', 'Soundbar']),
    (6, 'Textiles', 44,
        ARRAY['Wool', 'Linen', 'Cotton', 'Cashmere', 'Mohair', 'Jute', 'Alpaca', 'Hemp', 'Silk', 'Merino'],
        ARRAY['Blanket', 'Cushion', 'Towel', 'Curtain', 'Rug', 'Apron', 'Tablecloth', 'Scarf', 'Throw', 'Quilt']),
    (7, 'Outdoor', 58,
        ARRAY['Canvas', 'Steel', 'Ash', 'Titanium', 'Cotton', 'Aluminium', 'Hickory', 'Brass', 'Nylon', 'Wool'],
        ARRAY['Tent', 'Stove', 'Hammock', 'Compass', 'Paddle', 'Sleeping Bag', 'Cooler', 'Axe', 'Bottle', 'Binoculars'])
) AS categories (remainder, category, usual_price, materials, nouns) ON remainder = n % 8
CROSS JOIN LATERAL (SELECT (n / 8 * 739 + 17 * remainder) % 2000 AS c) AS combination
ORDER BY n;

INSERT INTO users (name)
VALUES ('Ada Lovelace'), ('Grace Hopper'), ('Linus Torvalds'), ('Barbara Liskov'), ('Edsger Dijkstra');

INSERT INTO wishes (user_id, product_id, added_at)
SELECT users.id, 1 + (users.id * 1009 + n * 2473) % 10000, now() - n * interval '1 day' - users.id * interval '1 hour'
FROM users CROSS JOIN generate_series(1, 4) AS n;

-- Each user has sent two messages to each other user. Some of the newer messages are unread.
INSERT INTO messages (from_id, to_id, text, sent_at, is_read)
SELECT
    sender.id, receiver.id,
    (ARRAY[
        'Have you seen the brass lantern on my list? My birthday is in December, just saying.',
        'The kettle arrived. It whistles in B flat, which I find very reassuring.',
        'Can you move the planter to your list? I would like to surprise the neighbours.',
        'I compared all four hundred pages. The winner is still the plain oak bench.',
        'Lunch on Thursday? I will bring the new flask, and you bring something to put in it.',
        'Please do not buy me the metronome. I have opinions about time.',
        'Someone wished for eleven notebooks. I know it was you.',
        'The blanket is lovely and warm. The cat has claimed it, so I need another.',
        'I took the paddle off your list by buying it. Act surprised.',
        'Is the reading lamp as bright as it looks? My desk faces north.'
    ])[1 + (sender.id * 3 + receiver.id * 7 + n * 4) % 10],
    now() - n * interval '19 hours' - (sender.id * 7 + receiver.id * 3) * interval '13 minutes' AS sent_at,
    n = 2 OR (sender.id + receiver.id) % 2 = 0
FROM users AS sender
JOIN users AS receiver ON receiver.id <> sender.id
CROSS JOIN generate_series(1, 2) AS n
ORDER BY sent_at;

ANALYZE products, users, wishes, messages;
