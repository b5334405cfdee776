"""Ordinary news in our own words: the first background for models that have no shipped numbers.

The sentences are invented. They cover what a news stream is mostly made of, so that a topic's
score has something to be measured against until the service has seen stories of its own.
"""

from __future__ import annotations

SENTENCES: tuple[str, ...] = tuple(
    line.strip()
    for line in """
    Parliament passes budget after a night of bargaining
    Opposition calls for a vote of no confidence in the prime minister
    Mayor steps down over building permits for relatives
    Senate committee questions nominee for a second day
    Coalition talks enter a third week without a finance minister
    Voters head to the polls in a race too close to call
    President reshuffles cabinet and moves two allies to the foreign ministry
    Court strikes down new district map months before the election
    Governor signs bill to widen access to school meals
    Former minister charged with taking bribes over road contracts
    Lawmakers argue over who pays for flood defences
    Leaders gather for summit on migration and trade
    Foreign ministers meet to revive talks on a border dispute
    Embassy staff called home after row over spying claims
    Army says soldiers killed in clash near the frontier
    Rebels seize town after days of fighting
    Peacekeepers' mandate extended by six months
    Drone attack damages apartment block, officials say
    Ceasefire holds on its first night, monitors report
    Aid convoy reaches besieged city for the first time in weeks
    Thousands flee as fighting spreads to the north
    Navy escorts freighters through the strait after warning
    Police arrest four over plot to attack a train station
    Judge delays ruling in murder case until spring
    Jury finds doctor guilty of manslaughter
    Gunman wounds three outside a shopping centre
    Detectives appeal for witnesses after body found in river
    Supreme Court agrees to hear case on police searches
    Prison guards strike over crowded cells
    Human rights group accuses police of beating protesters
    Teenager jailed for hacking city hall's payroll
    Smuggling ring broken up in raids across five countries
    Central bank leaves rates unchanged and warns on growth
    Inflation slows for a third month as food prices ease
    Shares slide as investors worry about bank profits
    Unemployment falls to its lowest level in two years
    Carmaker recalls half a million vehicles over faulty brakes
    Airline orders forty jets to replace an ageing fleet
    Retailer closes stores as shoppers move online
    Chipmaker forecasts record sales on demand for data centres
    Oil price dips after exporters agree to pump more
    Tech firm to lay off a tenth of its staff
    Regulator fines bank for failing to check its customers
    Tariffs on steel raise costs for builders, survey finds
    Merger of two phone companies wins approval
    Home sales fall as mortgage costs bite
    Start-up raises money to turn waste heat into power
    Billionaire sells stake in newspaper group
    Union and port operators reach a wage deal
    Farmers block motorways in protest at fuel tax
    Cocoa harvest threatened by disease and dry weather
    Budget airline strands hundreds after computer failure
    New phone has a brighter screen and a longer battery life
    Five apps to help you plan a week of meals
    Review: a laptop that is light, fast and dear
    Game studio delays its big release until autumn
    Chatbot gets a voice and a memory in latest update
    Social network lets parents set time limits for teenagers
    Researchers find flaw that lets thieves open smart locks
    Search engine tests answers written by a machine
    Satellite launch scrubbed minutes before lift-off
    Telescope spots water vapour on a distant planet
    Scientists trace an outbreak to tainted lettuce
    Fossil shows how early whales walked
    Trial of malaria vaccine gives good results in infants
    Hospital staff shortages lead to longer waits
    Measles cases rise as fewer children are vaccinated
    Study links poor sleep to heart disease
    Health agency recalls eye drops over contamination
    Doctors urge caution about weight-loss injections
    How to keep your knees healthy after fifty
    Heatwave breaks records across the south
    Heavy snow closes roads and schools
    Flash floods sweep away bridges in mountain villages
    Wildfire forces hundreds out of a hillside suburb
    Earthquake shakes the coast, no damage reported
    Hurricane strengthens on its way to the islands
    Volcano sends ash over nearby towns
    Climate summit ends with a pledge on methane
    Endangered parrot breeds on the island again
    Wolves return to a valley after a century
    City bans cars from its old centre
    Ferry sinks off the coast, dozens missing
    Bus crash on mountain road kills eleven
    Train derails near a village, drivers injured
    Small plane makes emergency landing on a motorway
    Miners rescued after two days underground
    Fire guts warehouse on the edge of town
    School reopens after damage by storm
    Teachers accept a pay offer and end their walkout
    University cuts courses as fewer students apply
    Exam results show a widening gap between regions
    Church sells historic abbey to pay its debts
    Bishop apologises to victims of abuse
    Pilgrims arrive for the yearly festival
    Museum returns carved figures to the country they came from
    Painting found in an attic sells for millions
    Novel about a fishing village wins literary prize
    Singer cancels tour dates because of illness
    Film about a chess player tops the weekend box office
    Actor to return for a third season of the crime drama
    Festival line-up mixes old stars and new bands
    Royal couple visit a children's hospital
    Model and footballer announce their engagement
    Comedian apologises for joke on live television
    Broadcaster drops its breakfast show after thirty years
    Veteran newsreader dies at eighty-four
    Late goal sends hosts into the semi-final
    Champion beaten in straight sets by a qualifier
    Club sacks manager after run of six defeats
    Striker joins rivals in record transfer
    Sprinter banned for missing drug tests
    Captain's century puts visitors in charge on the second day
    Quarterback throws four touchdowns in comeback win
    Goalkeeper out for the season with a broken wrist
    Driver takes pole position in the rain
    Cyclist in yellow survives crash on the descent
    Golfer leads by two shots going into the final round
    Rookie pitcher shuts out the league leaders
    League to trial video review for offside calls
    Olympic village to become student housing
    Injury rules guard out of the playoffs
    Swimmer breaks a world record that stood for ten years
    Racehorse retired after winning its last start
    Ten things to do in the city this weekend
    A simple soup for cold evenings
    Why your garden needs fewer flowers and more weeds
    The best walking shoes for wide feet
    Puzzle answers for today
    Your stars for the week ahead
    Opinion: we should stop building on flood plains
    Letters: our readers on trains that never come
    In pictures: the carnival in the rain
    Podcast: what the new pension rules mean for you
    Explainer: how the upper house works
    Live: results as they come in
    Lottery winner gives half to village school
    Dog found alive after nine days in a well
    Couple restore lighthouse and open it to guests
    Restaurant named best in the country for a second year
    Winemakers look north as summers grow hotter
    Tourists asked to pay a fee to enter the old town
    Cruise ship turned away after stomach bug on board
    Passport queues grow as strike enters second week
    Immigration officers detain workers at a poultry plant
    Asylum seekers moved from hotel to former barracks
    Protesters topple a statue outside the ministry
    Indigenous leaders sue over a planned mine
    Town votes on whether to host a nuclear waste store
    Wind farm off the coast sends out its first power
    Blackout leaves a million homes without electricity
    Water firm fined for spilling sewage into a river
    Power company to bury its lines after storms
    Gas pipeline repair will take weeks, operator says
    Engineers inspect bridge after cracks are found
    Tunnel under the bay is two years late
    New rail line cuts the journey to the capital by half
    Post office ends Saturday deliveries
    Census shows more people living alone
    Birth rate falls for the eighth year running
    Minimum wage to rise in spring
    Pensioners to get a one-off heating payment
    Landlords must fix damp within weeks under new law
    Charity says food banks are at breaking point
    Bank robbers of 1980s case are identified by their DNA
    Archive releases letters of wartime leader
    Veterans mark the anniversary of the landing
    Archaeologists dig up a Roman kitchen under a car park
    Space agency names crew for a flight around the Moon
    Robots pack parcels in a warehouse without lights
    Court orders publisher to pay damages for libel
    Journalist freed after a year in custody
    Editor resigns over a false report
    Parliament debates a ban on phones in schools
    Cabinet secretary denies leaking documents
    Ambassador warns of cuts to foreign aid
    Sanctions widened to shipping firms and banks
    Spy chief gives rare interview about cyber attacks
    Submarine deal runs into delays
    Air force grounds trainers after crash
    Recruits wanted: army lowers its age limit
    Border crossing reopens after a month
    Prisoners swapped at dawn on a desert airstrip
    Exiled leader returns to cheering crowds
    Coup leaders promise elections within two years
    Observers call the vote peaceful but unfair
    King opens parliament in a short ceremony
    """.splitlines()
    if line.strip()
)
